"""Whether the functions' roles have the permissions of the repository and no others."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chalice.constants import LAMBDA_TRUST_POLICY

from stagectl import project, stages
from stagectl.aws_errors import ignore_error
from stagectl.deployed import Function
from stagectl.doctor.context import CheckContext, Verdict, fail, ok
from stagectl.operator_error import OperatorError
from stagectl.target import Target


@dataclass(frozen=True)
class Difference:
    """A difference between a role and the repository. ``lacks``: the role has fewer permissions."""

    text: str
    command: str
    lacks: bool = False


def is_allowed(
    target: Target, role_arn: str, action: str, resource: str, context: dict[str, str] | None = None
) -> bool:
    """Ask IAM's policy simulator whether a role may do something.

    One resource per call: for several, the simulator's result for one can hide in that for another.

    :param context: condition keys and their values, of type string.
    """
    entries = [
        {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for name, value in (context or {}).items()
    ]
    with ignore_error("NoSuchEntity"):
        results = target.client("iam").simulate_principal_policy(
            PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
        )["EvaluationResults"]
        return bool(results) and all(result["EvalDecision"] == "allowed" for result in results)
    return False  # the role does not exist


def customer_key(target: Target, kms_key: str | None) -> str | None:
    """Return the ARN of a customer-managed key, or None for the AWS-managed one, which needs no permission."""
    if kms_key in (None, "alias/aws/ssm"):
        return None
    metadata = target.client("kms").describe_key(KeyId=kms_key)["KeyMetadata"]
    return str(metadata["Arn"]) if metadata["KeyManager"] == "CUSTOMER" else None


def roles(context: CheckContext) -> Verdict | None:
    """Check that each function's role has the policy of the repository and nothing else."""
    found = [difference for function, name in context.functions for difference in differences(context, function, name)]
    if found:
        commands = dict.fromkeys(difference.command for difference in found)  # in order, each once
        return fail(" ".join(difference.text for difference in found), command=" && ".join(commands))
    return ok("The functions' roles have the policies of .chalice/ and no others.") if context.functions else None


def differences(context: CheckContext, function: Function, function_name: str) -> Iterator[Difference]:
    """Yield how a function's role differs from the repository.

    :param function_name: Chalice's.
    :raises OperatorError: the policy in the repository can't be read.
    """
    role, iam = function.role, context.target.client("iam")
    trust = None
    with ignore_error("NoSuchEntity"):
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    if trust is None:
        text = f"The role {role} does not exist, so {function.name} can't start."
        yield Difference(text, context.stagectl("deploy"), lacks=True)
        return
    if set(_statements(trust)) != set(_statements(LAMBDA_TRUST_POLICY)):
        document = shlex.quote(json.dumps(LAMBDA_TRUST_POLICY))
        command = f"iam update-assume-role-policy --role-name {role} --policy-document {document}"
        yield Difference(f"The role {role} can be assumed by others than Lambda.", context.aws(command))
    for policy in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role).search("AttachedPolicies[]"):
        command = f"iam detach-role-policy --role-name {role} --policy-arn {policy['PolicyArn']}"
        text = f"The role {role} has {policy['PolicyName']} attached, which is not in the repository."
        yield Difference(text, context.aws(command))
    current: dict[str, str] = {}
    for name in iam.get_paginator("list_role_policies").paginate(RoleName=role).search("PolicyNames[]"):
        if name == role:  # Chalice gives its policy the name of the role
            current = _statements(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        else:
            command = context.aws(f"iam delete-role-policy --role-name {role} --policy-name {name}")
            yield Difference(f"The role {role} has the policy {name}, which is not in the repository.", command)
    file = str(stages.chalice_config(context.target.stage, function_name).iam_policy_file)
    wanted, deploy = _statements(_read(file)), context.stagectl("deploy")
    if extra := [summary for statement, summary in current.items() if statement not in wanted]:
        yield Difference(f"The role {role} has statements that are not in {file}: {'; '.join(extra)}.", deploy)
    if lacking := [summary for statement, summary in wanted.items() if statement not in current]:
        yield Difference(f"The role {role} lacks statements of {file}: {'; '.join(lacking)}.", deploy, lacks=True)


def _read(file: str) -> Any:
    try:
        return json.loads((project.current().chalice / file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(
            f".chalice/{file} can't be read: {error}.", "See what was changed:", f"git diff .chalice/{file}"
        ) from error


def _statements(policy: Any) -> dict[str, str]:
    """Return a policy's statements: each in one normal form, and as a summary for people."""
    return {
        json.dumps(_normal({name: value for name, value in statement.items() if name != "Sid"}), sort_keys=True): (
            _summary(statement)
        )
        for statement in _listed(policy["Statement"])
    }


def _normal(value: Any) -> Any:
    """Return a value in which every single word is a list of one, and every list is sorted."""
    if isinstance(value, dict):
        return {name: _normal(inner) for name, inner in value.items()}
    return sorted(_listed(value))


def _summary(statement: dict[str, Any]) -> str:
    actions = ", ".join(_listed(statement.get("Action", "other actions")))
    resources = ", ".join(_listed(statement.get("Resource", "other resources")))
    return f"{statement['Effect']} {actions} on {resources}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
