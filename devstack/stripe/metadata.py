"""Metadata: up to 50 pairs of strings on an object (https://docs.stripe.com/api/metadata)."""

from devstack.stripe import errors
from devstack.stripe.account import Object

_PAIRS, _KEY, _VALUE = 50, 40, 500


def merged(before: dict[str, str], params: Object) -> dict[str, str]:
    """Return an object's metadata after a call.

    :param before: what it was.
    :param params: the call's parameters; an empty value unsets a pair, an empty ``metadata`` all of them.
    :raises StripeError: 400, a key or value is too long, or there are too many pairs.
    """
    given = params.get("metadata", {})
    if given == "":
        return {}
    for key, value in given.items():
        _check("keys", key, _KEY, key, key)
        _check("values", key, _VALUE, value, value)
    after = {key: value for key, value in {**before, **given}.items() if value != ""}
    if len(after) > _PAIRS:
        raise errors.invalid_request(f"Metadata can have up to {_PAIRS} keys, but there are {len(after)}.", "metadata")
    return after


def _check(what: str, key: str, limit: int, text: str, shown: str) -> None:
    if len(text) > limit:
        raise errors.invalid_request(
            f"Metadata {what} can have up to {limit} characters, but you passed in one that is {len(text)} "
            f"characters. Invalid {what[:-1]}: {shown}",
            f"metadata[{key}]",
        )
