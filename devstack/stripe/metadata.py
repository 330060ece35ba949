"""Metadata: up to 50 pairs of strings on an object (https://docs.stripe.com/api/metadata)."""

from devstack.stripe import errors
from devstack.stripe.account import Object

_PAIRS, _KEY, _VALUE = 50, 40, 500


def merge(before: dict[str, str], params: Object) -> dict[str, str]:
    """Return an object's metadata after a call. An empty value unsets a pair; an empty ``metadata`` unsets all."""
    changes = params.get("metadata", {})
    if changes == "":
        return {}
    for key, value in changes.items():
        for part, text, limit in (("key", key, _KEY), ("value", value, _VALUE)):
            if len(text) > limit:
                raise errors.invalid_request(
                    f"Metadata {part}s can have up to {limit} characters, but you passed in one that is {len(text)} "
                    f"characters. Invalid {part}: {text}",
                    f"metadata[{key}]",
                )
    after = {key: value for key, value in {**before, **changes}.items() if value != ""}
    if len(after) > _PAIRS:
        raise errors.invalid_request(f"Metadata can have up to {_PAIRS} keys, but there are {len(after)}.", "metadata")
    return after
