"""What storing notes costs."""

from typing import TypedDict


class Quote(TypedDict):
    """A price: ``storage`` in notes, ``amount`` in cents, ``currency`` as ISO 4217 has it, in lower case."""

    storage: int
    amount: int
    currency: str


def calculate_amount(storage: int) -> int:
    """Return the price of storing notes, in cents.

    The tier's rate applies to every note, not only to those above its lower bound: 10 notes cost 4000, 11 cost 2200.

    :param storage: notes to store, 1 or more.
    """
    if storage <= 10:
        rate = 400
    elif storage <= 100:
        rate = 200
    else:
        rate = 100
    return storage * rate
