"""IAM policies, evaluated as IAM does: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Context = Mapping[str, str]

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"


def allows(policies: Iterable[Any], action: str, resource: str, context: Context | None = None) -> bool:
    """Tell whether identity policies allow an action on a resource. A deny overrides every allow."""
    return decision(policies, action, resource, context) == ALLOWED


def decision(policies: Iterable[Any], action: str, resource: str, context: Context | None = None) -> str:
    """Return the decision in the words of IAM's policy simulator."""
    effects = {statement["Effect"] for statement in matching(policies, action, resource, context or {})}
    if "Deny" in effects:
        return EXPLICIT_DENY
    return ALLOWED if "Allow" in effects else IMPLICIT_DENY


def matching(policies: Iterable[Any], action: str, resource: str, context: Context) -> list[Any]:
    """Return the statements that apply to an action on a resource."""
    return [
        statement
        for statement in statements(policies)
        if _matches_action(statement, action)
        and _matches_resource(statement, resource)
        and _is_condition_met(statement.get("Condition", {}), context)
    ]


def statements(policies: Iterable[Any]) -> Iterator[Any]:
    for policy in policies:
        yield from listed(policy["Statement"])


def context_keys(policies: Iterable[Any]) -> set[str]:
    """Return the context keys in the conditions of the policies."""
    return {key for each in statements(policies) for keys in each.get("Condition", {}).values() for key in keys}


def is_allowed_for_service(policy: Any, service: str, action: str, resource: str, source: str) -> bool:
    """Tell whether a resource's own policy allows an action of a service on behalf of ``source``'s ARN."""
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


def _matches_action(statement: Any, action: str) -> bool:
    if "NotAction" in statement:
        return not any(_like(action.lower(), pattern.lower()) for pattern in listed(statement["NotAction"]))
    return any(_like(action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))


def _matches_resource(statement: Any, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_is_arn_like(resource, pattern) for pattern in listed(statement["NotResource"]))
    return any(_is_arn_like(resource, pattern) for pattern in listed(statement["Resource"]))


def _is_arn_like(resource: str, pattern: str) -> bool:
    """Match an ARN part by part: a wildcard does not cross a colon, except in the last part."""
    patterns, parts = pattern.split(":", 5), resource.split(":", 5)
    if len(patterns) < 6 or len(parts) < 6:
        return _like(resource, pattern)
    return all(_like(part, part_pattern) for part, part_pattern in zip(parts, patterns, strict=True))


def _like(value: str, pattern: str) -> bool:
    wildcards = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wildcards.get(c) or re.escape(c) for c in pattern), value, re.DOTALL) is not None


_OPERATORS = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": _like,
    "ArnEquals": _is_arn_like,
    "ArnLike": _is_arn_like,
}


def _is_condition_met(condition: Any, context: Context) -> bool:
    values = {key.lower(): value for key, value in context.items()}
    return all(
        key.lower() in values and any(_OPERATORS[operator](values[key.lower()], each) for each in listed(wanted))
        for operator, keys in condition.items()  # an operator that this table lacks must be a KeyError
        for key, wanted in keys.items()
    )
