"""IAM policies, evaluated as IAM does: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.

What this evaluator does not know is an error, and never ignored.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Context = Mapping[str, str]

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"
_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


class UnsupportedPolicyError(Exception):
    """A policy contains something that IAM rejects, or that this evaluator does not know."""


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
        if any(_like(action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))
        and any(_is_named(resource, pattern) for pattern in listed(statement["Resource"]))
        and _is_condition_met(statement.get("Condition", {}), context)
    ]


def statements(policies: Iterable[Any]) -> Iterator[Any]:
    """Return the statements of policies.

    :raises UnsupportedPolicyError: this evaluator would ignore a part of one.
    """
    for policy in policies:
        for statement in listed(policy["Statement"]):
            unknown = {*statement} - _ELEMENTS | {*statement.get("Condition", {})} - {*_OPERATORS}
            if unknown or statement["Effect"] not in ("Allow", "Deny") or "${" in str(statement):
                raise UnsupportedPolicyError(f"{sorted(unknown)} in {statement}")
            yield statement


def is_allowed_for_service(policy: Any, service: str, action: str, resource: str, source: str) -> bool:
    """Tell whether a resource's own policy allows an action of a service on behalf of ``source``'s ARN."""
    context = {"AWS:SourceArn": source, "AWS:SourceAccount": source.split(":")[4]}
    return any(
        statement["Effect"] == "Allow" and service in listed(statement["Principal"]["Service"])
        for statement in matching([policy], action, resource, context)
    )


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_named(resource: str, pattern: str) -> bool:
    """Match a Resource: a `*` that ends a part of an ARN may match beyond the colon, and other wildcards do not.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    wildcards = {"*:": ".*:", "*": "[^:]*", "?": "[^:]"}
    tokens = re.findall(r"\*:|.", pattern + ":", re.DOTALL)
    expression = "".join(wildcards.get(token) or re.escape(token) for token in tokens)
    return re.fullmatch(expression, resource + ":", re.DOTALL) is not None


def _is_arn_like(value: str, pattern: str) -> bool:
    """Match each of the six parts of an ARN, as ArnLike does."""
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(_like, parts, patterns))


def _like(value: str, pattern: str) -> bool:
    wildcards = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wildcards.get(c) or re.escape(c) for c in pattern), value, re.DOTALL) is not None


_OPERATORS = {
    "StringEquals": lambda value, wanted: value == wanted,
    "ArnLike": _is_arn_like,
}


def _is_condition_met(condition: Any, context: Context) -> bool:
    """Tell whether every key has one of its values. A key that the context lacks meets no condition."""
    values = {key.lower(): value for key, value in context.items()}
    return all(
        key.lower() in values and any(_OPERATORS[operator](values[key.lower()], each) for each in listed(wanted))
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )
