"""Denies calls that the caller's policies do not allow. moto's own enforcement ignores resources."""

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.ssm.models import ssm_backends

from tests.support import iam
from tests.support.cloud.principals import Principal, principal_of

# IAM's name of an operation, where it differs from the operation's.
_ACTIONS = {"Invoke": "InvokeFunction"}
_ALWAYS_ALLOWED = {"sts:GetCallerIdentity"}
# The parameter that names the resource of a call, and the pattern of the resource's ARN.
_RESOURCES = {
    "ssm": {"Name": "parameter/{}", "Names": "parameter/{}"},
    "sns": {"TopicArn": "{}", "PhoneNumber": "{}"},
    "lambda": {"FunctionName": "function:{}"},
}


class AwsError(ServiceException):
    """An error with AWS's code and message. moto derives the service of its own exceptions from their module."""


def call_action(call: Any) -> Any:
    """Wrap moto's ``BaseResponse.call_action``: a call that is not allowed gets AWS's error."""

    def call_if_allowed(self: BaseResponse) -> Any:
        principal = principal_of(self.access_key)
        error = _denial(self, principal) if principal else None
        if error is None:
            return call(self)
        _, headers, body = self.serialized(ActionResult(error))
        status = 400 if self.boto3_service_name == "ssm" else 403
        return status, {**headers, "status": str(status)}, body

    return call_if_allowed


def _denial(call: BaseResponse, principal: Principal) -> ServiceException | None:
    service = call.boto3_service_name
    operation = call._get_action()
    action = f"{service}:{_ACTIONS.get(operation, operation)}"
    if service == "apigateway":
        action = f"{service}:{call.method}"
    if action in _ALWAYS_ALLOWED:
        return None
    for resource in _resources(call, service):
        decision = iam.decision(principal.policies.values(), action, resource)
        if decision != iam.ALLOWED:
            return _access_denied(service, principal, action, resource, decision)
        if service == "ssm" and not _may_decrypt(call, principal, resource):
            return AwsError("AccessDeniedException", _NO_KEY)
    return None


_NO_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are "
    "not allowed to access."
)
_REASONS = {
    iam.EXPLICIT_DENY: "with an explicit deny in an identity-based policy",
    iam.IMPLICIT_DENY: "because no identity-based policy allows the {} action",
}


def _access_denied(service: str, principal: Principal, action: str, resource: str, decision: str) -> ServiceException:
    reason = _REASONS[decision].format(action)
    message = f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} {reason}"
    return AwsError("AuthorizationError" if service == "sns" else "AccessDeniedException", message)


def _resources(call: BaseResponse, service: str) -> list[str]:
    """Return the ARNs of the resources of a call; ``*`` if it has none that a role's policy names."""
    for parameter, pattern in _RESOURCES.get(service, {}).items():
        names = (call.uri_match or {}).get(parameter) or call._get_param(parameter)
        if names:
            return [_arn(call, service, pattern, str(name)) for name in iam.listed(names)]
    return ["*"]


def _arn(call: BaseResponse, service: str, pattern: str, name: str) -> str:
    if name.startswith(("arn:", "+")):
        return name
    return f"arn:aws:{service}:{call.region}:{call.current_account}:{pattern.format(name.lstrip('/'))}"


def _may_decrypt(call: BaseResponse, principal: Principal, resource: str) -> bool:
    """Tell whether the principal may decrypt a parameter. Only a customer-managed key requires kms:Decrypt.

    https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    name = "/" + resource.partition("parameter/")[2]
    parameter = ssm_backends[call.current_account][call.region].get_parameter(name)
    decrypts = (
        call._get_param("WithDecryption") and parameter is not None and parameter.parameter_type == "SecureString"
    )
    if not decrypts or parameter.keyid == "alias/aws/ssm":
        return True
    context = {
        "kms:EncryptionContext:PARAMETER_ARN": resource,
        "kms:ViaService": f"ssm.{call.region}.amazonaws.com",
    }
    return iam.allows(principal.policies.values(), "kms:Decrypt", parameter.keyid, context)
