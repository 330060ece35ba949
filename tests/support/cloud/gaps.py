"""Features of IAM and Parameter Store that moto lacks, on moto's own state."""

import pytest
from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse
from moto.ssm.responses import SimpleSystemManagerResponse

from tests.support import iam
from tests.support.cloud.principals import policies_of_role


def fill(patch: pytest.MonkeyPatch) -> None:
    """Add what moto lacks."""
    patch.setattr(IamResponse, "simulate_principal_policy", simulate_principal_policy, raising=False)
    patch.setattr(SimpleSystemManagerResponse, "get_service_setting", get_service_setting, raising=False)


def simulate_principal_policy(self: IamResponse) -> ActionResult:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html"""
    policies = policies_of_role(self._get_param("PolicySourceArn"))
    context = {
        entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in self._get_param("ContextEntries") or []
    }
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": iam.decision(policies, action, resource, context),
        }
        for action in self._get_param("ActionNames")
        for resource in self._get_param("ResourceArns")
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def get_service_setting(self: SimpleSystemManagerResponse) -> ActionResult:
    return ActionResult({"ServiceSetting": {"SettingId": self._get_param("SettingId"), "SettingValue": "false"}})
