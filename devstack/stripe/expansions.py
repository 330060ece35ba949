"""``expand``: whole objects in place of their ids (https://docs.stripe.com/api/expanding_objects), one level deep."""

import copy

from devstack.stripe import errors
from devstack.stripe.account import Account, Object

_EXPANDABLE = {
    "payment_intent": {"latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {"payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
}


def validate(names: list[str], kind: str) -> None:
    """Validate a call's ``expand`` before the call is executed.

    :param kind: the type of object in the response, such as ``charge``.
    """
    for name in names:
        if name not in _EXPANDABLE.get(kind, {}):
            raise errors.invalid_request(f"This property cannot be expanded ({name}).", "expand")


def expand(response: Object, names: list[str], account: Account) -> Object:
    """Return an object with the objects of validated names."""
    kinds = _EXPANDABLE.get(response["object"], {})
    expanded = {name: account.find(kinds[name], response[name]) for name in names if response[name] is not None}
    return {**response, **copy.deepcopy(expanded)}
