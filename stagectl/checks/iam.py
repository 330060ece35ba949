"""What a role may do, asked of IAM, and what its policies say."""

import json
from typing import Any

from stagectl import stages
from stagectl.checks.examined import Examined, Finding
from stagectl.deployed import Function
from stagectl.target import Target


def parameter_arn(target: Target, name: str) -> str:
    """Return a parameter's ARN."""
    return f"arn:aws:ssm:{target.region}:{target.home.account}:parameter{name}"


def denied(
    target: Target, role_arn: str, action: str, resources: list[str], context: dict[str, str] | None = None
) -> list[str]:
    """Return the resources on which a role may not do something, by IAM's policy simulator.

    :param context: condition keys and their values, of type string.
    """
    results = target.client("iam").simulate_principal_policy(
        PolicySourceArn=role_arn,
        ActionNames=[action],
        ResourceArns=resources,
        ContextEntries=[
            {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for name, value in (context or {}).items()
        ],
    )["EvaluationResults"]
    allowed = {result["EvalResourceName"] for result in results if result["EvalDecision"] == "allowed"}
    return [resource for resource in resources if resource not in allowed]


def customer_key(target: Target, kms_key: str | None) -> str | None:
    """Return the ARN of a customer-managed key, or None for the AWS-managed one, which needs no permission."""
    if kms_key in (None, "alias/aws/ssm"):
        return None
    metadata = target.client("kms").describe_key(KeyId=kms_key)["KeyMetadata"]
    return str(metadata["Arn"]) if metadata["KeyManager"] == "CUSTOMER" else None


def roles(examined: Examined) -> Finding | None:
    """Check that each function's role has the policy of the repository and nothing else."""
    wrong = [
        problem
        for function, name in ((examined.api_function, "api_handler"), (examined.notify_function, "notify"))
        if function
        for problem in _differences(examined.target, function, name)
    ]
    if not examined.functions:
        return None
    if wrong:
        return Finding(
            "roles",
            "fail",
            " ".join(wrong),
            f"Detach what is not in .chalice/, then stagectl deploy --stage {examined.target.stage}",
        )
    return Finding("roles", "ok", "The functions' roles have the policies of .chalice/ and no others.")


def _differences(target: Target, function: Function, function_name: str) -> list[str]:
    iam, role = target.client("iam"), function.role
    file = str(stages.chalice_config(target.stage, function_name).iam_policy_file)
    wanted = _statements(json.loads((stages.CHALICE / file).read_text(encoding="utf-8")))
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = [
        statement
        for name in names
        for statement in _statements(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    ]
    attached = [policy["PolicyName"] for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]]
    problems = []
    if attached:
        problems.append(f"The role {role} has {', '.join(attached)} attached, which the repository has not.")
    if wider := [statement for statement in found if statement not in wanted]:
        problems.append(f"The role {role} has statements that {file} has not: {'; '.join(wider)}.")
    if narrower := [statement for statement in wanted if statement not in found]:
        problems.append(f"The role {role} lacks statements of {file}: {'; '.join(narrower)}.")
    return problems


def _statements(policy: dict[str, Any]) -> list[str]:
    """Return a policy's statements, each in one spelling: lists sorted, no Sid."""
    return [
        json.dumps(
            {
                name: sorted(value) if isinstance(value, list) else [value] if isinstance(value, str) else value
                for name, value in statement.items()
                if name != "Sid"
            },
            sort_keys=True,
        )
        for statement in policy["Statement"]
    ]
