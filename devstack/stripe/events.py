"""Events: what happened to the other objects, to be read (https://docs.stripe.com/api/events)."""

from devstack.stripe import errors, lists
from devstack.stripe.account import Call, Object


def check_list(params: Object) -> None:
    """Check that a list is filtered one way.

    :raises StripeError: 400.
    """
    if {"type", "types"} <= set(params):
        raise errors.exclusive_parameters(("type", "types"))


def retrieve(call: Call) -> Object:
    """Answer ``GET /v1/events/{id}``."""
    return call.account.find("event", call.id)


def list_all(call: Call) -> Object:
    """Answer ``GET /v1/events``."""
    types = call.params.get("types", [call.params.get("type", "*")])
    delivered = call.params.get("delivery_success")

    def wanted(event: Object) -> bool:
        right_type = any(_fits(event["type"], pattern) for pattern in types)
        return right_type and delivered in (None, event["pending_webhooks"] == 0)

    return lists.page(call, "event", wanted)


def _fits(kind: str, pattern: str) -> bool:
    """Tell whether an event's type is one of a pattern: all of them (``*``), a group (``charge.*``), or one."""
    return kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern
