"""What a role may do, asked of IAM, and what its policies say."""

import json
import shlex
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from stagectl import stages
from stagectl.deployed import Function
from stagectl.doctor.context import CheckContext, Verdict, fail, ok
from stagectl.errors import OperatorError, code_of
from stagectl.target import Target

# Who may act as a function: Lambda (chalice.constants.LAMBDA_TRUST_POLICY).
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Difference:
    """How a role differs from the repository. ``lacks``: it may not do what the repository says that it may."""

    text: str
    remedy: str
    lacks: bool = False


def parameter_arn(target: Target, name: str) -> str:
    """Return a parameter's ARN."""
    return f"arn:aws:ssm:{target.region}:{target.home.account}:parameter{name}"


def may(target: Target, role_arn: str, action: str, resource: str, context: dict[str, str] | None = None) -> bool:
    """Tell whether a role may do something, by IAM's policy simulator.

    One resource a call: of several, the simulator's answer to one can hide in that to another.

    :param context: condition keys and their values, of type string.
    """
    entries = [
        {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for name, value in (context or {}).items()
    ]
    try:
        results = target.client("iam").simulate_principal_policy(
            PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
        )["EvaluationResults"]
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            return False  # a role that is gone
        raise
    return bool(results) and all(result["EvalDecision"] == "allowed" for result in results)


def customer_key(target: Target, kms_key: str | None) -> str | None:
    """Return the ARN of a customer-managed key, or None for the AWS-managed one, which needs no permission."""
    if kms_key in (None, "alias/aws/ssm"):
        return None
    metadata = target.client("kms").describe_key(KeyId=kms_key)["KeyMetadata"]
    return str(metadata["Arn"]) if metadata["KeyManager"] == "CUSTOMER" else None


def roles(examined: CheckContext) -> Verdict | None:
    """Check that each function's role has the policy of the repository and nothing else."""
    if not examined.functions:
        return None
    found = [it for function, name in examined.functions for it in differences(examined, function, name)]
    if found:
        remedies = dict.fromkeys(it.remedy for it in found)  # in order, each once
        return fail(" ".join(it.text for it in found), " && ".join(remedies))
    return ok("The functions' roles have the policies of .chalice/ and no others.")


def differences(examined: CheckContext, function: Function, function_name: str) -> list[Difference]:
    """Return how a function's role differs from the repository.

    :param function_name: Chalice's.
    :raises OperatorError: the policy in the repository can't be read.
    """
    role, iam = function.role, examined.client("iam")
    try:
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        gone = f"The role {role} does not exist, so {function.name} can't start."
        return [Difference(gone, examined.stagectl("deploy"), lacks=True)]
    found = []
    if set(_statements(trust)) != set(_statements(_TRUST)):
        command = f"iam update-assume-role-policy --role-name {role} --policy-document "
        remedy = examined.aws(command + shlex.quote(json.dumps(_TRUST)))
        found.append(Difference(f"The role {role} can be assumed by others than Lambda.", remedy))
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for policy in page["AttachedPolicies"]:
            remedy = examined.aws(f"iam detach-role-policy --role-name {role} --policy-arn {policy['PolicyArn']}")
            text = f"The role {role} has {policy['PolicyName']} attached, which the repository has not."
            found.append(Difference(text, remedy))
    return found + _of_inline_policies(examined, role, function_name)


def _of_inline_policies(examined: CheckContext, role: str, function_name: str) -> list[Difference]:
    """Compare the policy that Chalice made, which is called as its role is, and find those that it did not make."""
    iam, found = examined.client("iam"), []
    now: dict[str, str] = {}
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            if name == role:
                now = _statements(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
                continue
            remedy = examined.aws(f"iam delete-role-policy --role-name {role} --policy-name {name}")
            found.append(Difference(f"The role {role} has the policy {name}, which the repository has not.", remedy))
    file = str(stages.chalice_config(examined.target.stage, function_name).iam_policy_file)
    wanted, deploy = _statements(_read(file)), examined.stagectl("deploy")
    if more := [shown for statement, shown in now.items() if statement not in wanted]:
        text = f"The role {role} has statements that {file} has not: {'; '.join(more)}."
        found.append(Difference(text, deploy))
    if lacking := [shown for statement, shown in wanted.items() if statement not in now]:
        text = f"The role {role} lacks statements of {file}: {'; '.join(lacking)}."
        found.append(Difference(text, deploy, lacks=True))
    return found


def _read(file: str) -> Any:
    try:
        return json.loads((stages.CHALICE / file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(
            f".chalice/{file} can't be read: {error}.", f"See what was changed: git diff .chalice/{file}"
        ) from error


def _statements(policy: Any) -> dict[str, str]:
    """Return a policy's statements: each in one spelling, whatever was a list and what a word, and for people."""
    return {
        json.dumps(_spelt({name: value for name, value in statement.items() if name != "Sid"}), sort_keys=True): (
            _shown(statement)
        )
        for statement in _listed(policy["Statement"])
    }


def _spelt(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _spelt(inner) for name, inner in value.items()}
    return sorted(_listed(value))


def _shown(statement: dict[str, Any]) -> str:
    what = ", ".join(_listed(statement.get("Action", "other actions")))
    where = ", ".join(_listed(statement.get("Resource", "other resources")))
    return f"{statement['Effect']} {what} on {where}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
