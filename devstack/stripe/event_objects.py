"""Events, as the API returns them (https://docs.stripe.com/api/events)."""

from devstack.stripe import lists
from devstack.stripe.account import Object
from devstack.stripe.calls import Call


def list_all(call: Call) -> Object:
    """Handle ``GET /v1/events``."""
    types = call.params.get("types", [call.params.get("type", "*")])
    delivered = call.params.get("delivery_success")

    def matches(event: Object) -> bool:
        has_type = any(_has_type(event["type"], pattern) for pattern in types)
        return has_type and delivered in (None, event["pending_webhooks"] == 0)

    return lists.page(call, "event", matches)


def _has_type(event_type: str, pattern: str) -> bool:
    """Match an event's type against ``*``, a group such as ``charge.*``, or one type."""
    return event_type.startswith(pattern[:-1]) if pattern.endswith("*") else event_type == pattern
