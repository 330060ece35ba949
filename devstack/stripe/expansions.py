"""``expand``: objects in the place of their ids (https://docs.stripe.com/api/expanding_objects)."""

import copy
from typing import Any

from devstack.stripe import errors
from devstack.stripe.account import Account, Object

_EXPANDABLE = {
    "payment_intent": {"latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {"payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
}
_DEEPEST = 4


def check(paths: list[str], kind: str, listed: bool) -> None:
    """Check what a call wants to see whole, before it is executed.

    :param paths: such as ``latest_charge``, or ``data.latest_charge`` for a list.
    :param kind: the object that is answered, such as ``charge``.
    :param listed: whether it is a list of them.
    :raises StripeError: 400, there is no such property, or it is no object's id.
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > _DEEPEST:
            raise errors.invalid_request(f"You cannot expand more than {_DEEPEST} levels of a property.", "expand")
        names = parts[1:] if listed and parts[0] == "data" else parts
        at: str | None = None if listed and names is parts else kind
        for name in names:
            at = _EXPANDABLE.get(at or "", {}).get(name)
        if at is None or not names:
            raise errors.invalid_request(f"This property cannot be expanded ({path}).", "expand")


def expanded(answer: Object, paths: list[str], account: Account) -> Object:
    """Return an answer with the objects that a call asked for.

    :param answer: an object or a list; it is not changed.
    :param paths: what to expand, checked.
    """
    answer = copy.deepcopy(answer) if paths else answer
    for path in paths:
        _expand(answer, path.split("."), account)
    return answer


def _expand(item: Object, parts: list[str], account: Account) -> None:
    name, rest = parts[0], parts[1:]
    if item["object"] == "list":
        for each in item["data"]:
            _expand(each, rest, account)
        return
    value: Any = item[name]
    if isinstance(value, str):
        kind = _EXPANDABLE[item["object"]][name]
        value = item[name] = copy.deepcopy(account.find(kind, value))
    if rest and value is not None:
        _expand(value, rest, account)
