"""Lists: newest first, in pages (https://docs.stripe.com/api/pagination)."""

import fnmatch
import operator
from collections.abc import Callable
from typing import Any

from devstack.stripe import errors
from devstack.stripe.account import Object
from devstack.stripe.calls import Call

_DEFAULT, _MOST = 10, 100
_COMPARISONS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def page(call: Call, kind: str, matches: Callable[[Object], bool] = lambda _: True) -> Object:
    """Return a page of the account's objects as a list object.

    :param call: its ``limit``, ``starting_after``, ``ending_before`` and ``created`` select the page.
    :param kind: the type of the objects, such as ``charge``.
    :param matches: filters the objects.
    :raises StripeError: 400, a parameter is out of range, or the id to start from does not exist.
    """
    params = call.params
    limit = params.get("limit", _DEFAULT)
    if not 1 <= limit <= _MOST:
        bound = "greater than or equal to 1" if limit < 1 else f"less than or equal to {_MOST}"
        message = f"This value must be {bound} (it currently is '{limit}')."
        raise errors.invalid_request(message, "limit", "parameter_invalid_integer")
    errors.reject_exclusive(params, "starting_after", "ending_before")
    is_backwards = "ending_before" in params
    items = list(call.account.tables[kind].values())
    if not is_backwards:
        items.reverse()
    for name in ("starting_after", "ending_before"):
        if name in params:
            items = items[items.index(call.account.find(kind, params[name], name)) + 1 :]
    matching = [item for item in items if _is_created(item, params.get("created", {})) and matches(item)]
    data = matching[:limit]
    if is_backwards:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(matching) > limit, "url": f"/v1/{kind}s"}


def events(call: Call) -> Object:
    """Handle ``GET /v1/events``. A type is ``*``, a group such as ``charge.*``, or one type."""
    types = call.params.get("types", [call.params.get("type", "*")])
    delivered = call.params.get("delivery_success")

    def matches(event: Object) -> bool:
        has_type = any(fnmatch.fnmatchcase(event["type"], pattern) for pattern in types)
        return has_type and delivered in (None, event["pending_webhooks"] == 0)

    return page(call, "event", matches)


def _is_created(item: Object, created: Any) -> bool:
    """Return whether an object was created at a time, or within bounds such as ``{"gt": 1700000000}``."""
    if isinstance(created, int):
        return bool(item["created"] == created)
    return all(_COMPARISONS[name](item["created"], bound) for name, bound in created.items())
