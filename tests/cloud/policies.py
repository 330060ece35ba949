"""IAM policies, evaluated as IAM does: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Context = Mapping[str, str]

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"


def allows(policies: Iterable[Any], action: str, resource: str, context: Context | None = None) -> bool:
    """Say whether identity policies allow an action on a resource: an explicit deny wins, then an allow, else no."""
    return decision(policies, action, resource, context) == ALLOWED


def decision(policies: Iterable[Any], action: str, resource: str, context: Context | None = None) -> str:
    """Return what IAM's simulator calls the decision."""
    effects = {statement["Effect"] for statement in matching(policies, action, resource, context or {})}
    if "Deny" in effects:
        return EXPLICIT_DENY
    return ALLOWED if "Allow" in effects else IMPLICIT_DENY


def matching(policies: Iterable[Any], action: str, resource: str, context: Context) -> list[Any]:
    """Return the statements that speak about an action on a resource."""
    return [
        statement
        for statement in statements(policies)
        if _speaks_of_action(statement, action)
        and _speaks_of_resource(statement, resource)
        and _holds(statement.get("Condition", {}), context)
    ]


def statements(policies: Iterable[Any]) -> Iterator[Any]:
    for policy in policies:
        yield from listed(policy["Statement"])


def context_keys(policies: Iterable[Any]) -> set[str]:
    """Return the context keys that conditions of the policies ask for."""
    return {key for each in statements(policies) for asked in each.get("Condition", {}).values() for key in asked}


def lets_service_in(policy: Any, service: str, action: str, resource: str, source: str) -> bool:
    """Say whether a resource's own policy lets an AWS service act on it, on behalf of ``source``'s ARN."""
    context = {"AWS:SourceArn": source, "AWS:SourceAccount": source.split(":")[4]}
    principals = (service, "*")
    return any(
        statement["Effect"] == "Allow" and {*listed(_service(statement["Principal"]))} & {*principals}
        for statement in matching([policy], action, resource, context)
    )


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _service(principal: Any) -> Any:
    return principal if isinstance(principal, str) else principal.get("Service", [])


def _speaks_of_action(statement: Any, action: str) -> bool:
    if "NotAction" in statement:
        return not any(_like(action.lower(), pattern.lower()) for pattern in listed(statement["NotAction"]))
    return any(_like(action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))


def _speaks_of_resource(statement: Any, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_is_arn_like(resource, pattern) for pattern in listed(statement["NotResource"]))
    return any(_is_arn_like(resource, pattern) for pattern in listed(statement["Resource"]))


def _is_arn_like(resource: str, pattern: str) -> bool:
    """A wildcard stays within its part of an ARN, but for the last part: the colons there are the service's."""
    wanted, given = pattern.split(":", 5), resource.split(":", 5)
    if len(wanted) < 6 or len(given) < 6:
        return _like(resource, pattern)
    return all(_like(part, part_pattern) for part, part_pattern in zip(given, wanted, strict=True))


def _like(value: str, pattern: str) -> bool:
    wildcards = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wildcards.get(c) or re.escape(c) for c in pattern), value, re.DOTALL) is not None


_OPERATORS = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": _like,
    "ArnEquals": _is_arn_like,
    "ArnLike": _is_arn_like,
}


def _holds(condition: Any, context: Context) -> bool:
    given = {key.lower(): value for key, value in context.items()}
    return all(
        any(_OPERATORS[operator](given[key.lower()], each) for each in listed(wanted))
        if key.lower() in given
        else False
        for operator, keys in condition.items()  # an operator that is not known here is a KeyError, never a guess
        for key, wanted in keys.items()
    )
