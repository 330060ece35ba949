"""``expand``: whole objects in place of their ids (https://docs.stripe.com/api/expanding_objects)."""

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


def validate(paths: list[str], kind: str, is_list: bool) -> None:
    """Validate a call's ``expand`` before the call is executed.

    :param paths: such as ``latest_charge``, or ``data.latest_charge`` for a list.
    :param kind: the type of object in the response, or in the list, such as ``charge``.
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > _DEEPEST:
            raise errors.invalid_request(f"You cannot expand more than {_DEEPEST} levels of a property.", "expand")
        names = parts[1:] if is_list and parts[0] == "data" else parts
        current: str | None = None if is_list and names is parts else kind
        for name in names:
            current = _EXPANDABLE.get(current or "", {}).get(name)
        if current is None or not names:
            raise errors.invalid_request(f"This property cannot be expanded ({path}).", "expand")


def expand(response: Object, paths: list[str], account: Account) -> Object:
    """Return a copy of an object or list with the objects at validated paths."""
    response = copy.deepcopy(response) if paths else response
    for path in paths:
        _expand(response, path.split("."), account)
    return response


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
