"""Lists, newest first and in pages (https://docs.stripe.com/api/pagination)."""

from collections.abc import Callable
from typing import Any

from devstack.stripe import errors
from devstack.stripe.account import Call, Object

_DEFAULT, _MOST = 10, 100
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda created, bound: created > bound,
    "gte": lambda created, bound: created >= bound,
    "lt": lambda created, bound: created < bound,
    "lte": lambda created, bound: created <= bound,
}


def page(call: Call, kind: str, matching: Callable[[Object], bool] = lambda _: True) -> Object:
    """Return a page of the account's objects.

    :param call: its ``limit``, ``starting_after``, ``ending_before`` and ``created`` choose the page.
    :param kind: which objects, such as ``charge``.
    :param matching: which of them.
    :return: a list object, with ``has_more``.
    :raises StripeError: 400, a parameter is out of range, or the id to start from does not exist.
    """
    params = call.params
    limit = params.get("limit", _DEFAULT)
    if not 1 <= limit <= _MOST:
        bound = "greater than or equal to 1" if limit < 1 else f"less than or equal to {_MOST}"
        message = f"This value must be {bound} (it currently is '{limit}')."
        raise errors.invalid_request(message, "limit", "parameter_invalid_integer")
    if {"starting_after", "ending_before"} <= set(params):
        raise errors.exclusive_parameters(("starting_after", "ending_before"))
    backwards = "ending_before" in params
    items = list(call.account.tables[kind].values())
    if not backwards:
        items.reverse()
    for name in ("starting_after", "ending_before"):
        if name in params:
            items = items[items.index(call.account.find(kind, params[name], name, 400)) + 1 :]
    found = [item for item in items if _created(item, params.get("created")) and matching(item)]
    data = found[:limit]
    if backwards:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": f"/v1/{kind}s"}


def _created(item: Object, wanted: Any) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return bool(item["created"] == wanted)
    return all(_COMPARISONS[name](item["created"], bound) for name, bound in wanted.items())
