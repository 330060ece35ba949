"""Denies calls that the caller's policies do not allow, and simulates that. moto's own enforcement ignores resources.

And a setting of Parameter Store, which moto lacks.
"""

import pytest
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.iam.responses import IamResponse
from moto.ssm.models import ssm_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from tests.support import iam
from tests.support.cloud.principals import Principal, policies_of_role, principal_of

_NO_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are "
    "not allowed to access."
)
_REASONS = {
    iam.EXPLICIT_DENY: "with an explicit deny in an identity-based policy",
    iam.IMPLICIT_DENY: "because no identity-based policy allows the {} action",
}


class AwsError(ServiceException):
    """An error with AWS's code and message. moto derives the service of its own exceptions from their module."""


def enforce(patch: pytest.MonkeyPatch) -> None:
    """Make moto respond to a call that is not allowed with AWS's error."""
    call = BaseResponse.call_action

    def call_if_allowed(self: BaseResponse) -> object:
        principal = principal_of(self.access_key)
        error = _denial(self, principal) if principal else None
        if error is None:
            return call(self)
        _, headers, body = self.serialized(ActionResult(error))
        status = 400 if self.boto3_service_name == "ssm" else 403
        return status, {**headers, "status": str(status)}, body

    patch.setattr(BaseResponse, "call_action", call_if_allowed)
    patch.setattr(IamResponse, "simulate_principal_policy", _simulate_principal_policy, raising=False)
    patch.setattr(SimpleSystemManagerResponse, "get_service_setting", _get_service_setting, raising=False)


def _denial(call: BaseResponse, principal: Principal) -> ServiceException | None:
    service, operation = call.boto3_service_name, call._get_action()
    if service == "apigateway":
        operation = call.method
    elif service == "lambda" and operation == "Invoke":
        operation = "InvokeFunction"
    action, resource = f"{service}:{operation}", _resource(call, service)
    if action == "sts:GetCallerIdentity":
        return None
    decision = iam.decision(principal.policies, action, resource)
    if decision != iam.ALLOWED:
        message = f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} "
        code = "AuthorizationError" if service == "sns" else "AccessDeniedException"
        return AwsError(code, message + _REASONS[decision].format(action))
    if service == "ssm" and not _may_decrypt(call, principal, resource):
        return AwsError("AccessDeniedException", _NO_KEY)
    return None


def _resource(call: BaseResponse, service: str) -> str:
    """Return the ARN of a call's resource; ``*`` if it has none that a role's policy names."""
    if service == "ssm" and (name := call._get_param("Name")):
        return f"arn:aws:ssm:{call.region}:{call.current_account}:parameter/{name.lstrip('/')}"
    topic_or_phone = call._get_param("TopicArn") or call._get_param("PhoneNumber")
    return str(topic_or_phone) if service == "sns" and topic_or_phone else "*"


def _may_decrypt(call: BaseResponse, principal: Principal, resource: str) -> bool:
    """Tell whether the principal may decrypt a parameter. Only a customer-managed key requires kms:Decrypt.

    https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    name = "/" + resource.partition("parameter/")[2]
    parameter = ssm_backends[call.current_account][call.region].get_parameter(name)
    is_encrypted = parameter is not None and parameter.parameter_type == "SecureString"
    if not is_encrypted or parameter.keyid == "alias/aws/ssm" or not call._get_param("WithDecryption"):
        return True
    context = {
        "kms:EncryptionContext:PARAMETER_ARN": resource,
        "kms:ViaService": f"ssm.{call.region}.amazonaws.com",
    }
    return iam.allows(principal.policies, "kms:Decrypt", parameter.keyid, context)


def _simulate_principal_policy(self: IamResponse) -> ActionResult:
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


def _get_service_setting(self: SimpleSystemManagerResponse) -> ActionResult:
    return ActionResult({"ServiceSetting": {"SettingId": self._get_param("SettingId"), "SettingValue": "false"}})
