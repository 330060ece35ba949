"""Ids, as Stripe makes them: a prefix that tells what it is, and letters and digits that nobody can guess."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """Make an id that no other object has.

    :param prefix: what the id is of, without the underscore: ``pi``, ``ch``, ``req``.
    :param length: characters after the underscore.
    :return: for example ``pi_`` and 24 letters and digits.
    """
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"
