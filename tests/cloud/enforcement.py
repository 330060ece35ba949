"""Calls are answered only as far as the caller's policies allow them: moto's own enforcement ignores resources."""

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.kms.models import kms_backends
from moto.ssm.models import ssm_backends

from tests.cloud.policies import EXPLICIT_DENY, decision
from tests.cloud.principals import Principal, principal_of

# What IAM calls an operation, where it is not the operation's own name.
_ACTIONS = {"Invoke": "InvokeFunction"}
_FOR_EVERYBODY = {"sts:GetCallerIdentity"}
# The parameter that names what a call is about, and how an ARN is made of it.
_RESOURCES = {
    "ssm": {"Name": "parameter/{}", "Names": "parameter/{}", "SettingId": "servicesetting{}"},
    "sns": {"TopicArn": "{}", "TargetArn": "{}", "PhoneNumber": "{}", "Name": "{}", "SubscriptionArn": "{}"},
    "lambda": {"FunctionName": "function:{}"},
    "iam": {"RoleName": "role/{}", "UserName": "user/{}", "PolicySourceArn": "{}"},
    "cloudformation": {"StackName": "stack/{}/*"},
    "cloudwatch": {"AlarmName": "alarm:{}", "DashboardName": "dashboard/{}"},
    "logs": {"logGroupName": "log-group:{}"},
}
_REGIONLESS = ("iam",)


class AwsError(ServiceException):
    """An error's code and message. moto takes the service of its own exceptions from where they are defined."""


def call_action(answer: Any) -> Any:
    """Wrap moto's ``BaseResponse.call_action``: a call that is not allowed is answered as AWS does."""

    def allowed_or_denied(self: BaseResponse) -> Any:
        principal = principal_of(self.access_key)
        error = _refusal(self, principal) if principal else None
        if error is None:
            return answer(self)
        _, headers, body = self.serialized(ActionResult(error))
        status = 400 if self.boto3_service_name == "ssm" else 403
        return status, {**headers, "status": str(status)}, body

    return allowed_or_denied


def _refusal(call: BaseResponse, principal: Principal) -> ServiceException | None:
    service = call.boto3_service_name
    operation = call._get_action()
    action = f"{service}:{_ACTIONS.get(operation, operation)}"
    if service == "apigateway":
        action = f"{service}:{call.method}"
    if action in _FOR_EVERYBODY:
        return None
    policies = principal.policies.values()
    for resource in _resources(call, service):
        decided = decision(policies, action, resource)
        if decided != "allowed":
            return _denied(service, principal, action, resource, decided)
        if service == "ssm" and not _may_decrypt(call, principal, resource):
            return AwsError("AccessDeniedException", _NO_KEY)
    return None


_NO_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are "
    "not allowed to access."
)


def _denied(service: str, principal: Principal, action: str, resource: str, decided: str) -> ServiceException:
    because = "with an explicit deny in an identity-based policy"
    if decided != EXPLICIT_DENY:
        because = f"because no identity-based policy allows the {action} action"
    message = f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} {because}"
    code = {
        "sns": "AuthorizationError",
        "iam": "AccessDenied",
        "cloudformation": "AccessDenied",
        "cloudwatch": "AccessDenied",
    }.get(service)
    return AwsError(code or "AccessDeniedException", message)


def _resources(call: BaseResponse, service: str) -> list[str]:
    if service == "apigateway":
        return [f"arn:aws:apigateway:{call.region}::{call.path}"]
    for parameter, pattern in _RESOURCES.get(service, {}).items():
        given = _given(call, parameter)
        if given and parameter == "SubscriptionArn":
            return [given.rpartition(":")[0]]  # what counts is the topic
        if given:
            return [_arn(call, service, pattern, str(name)) for name in (given if isinstance(given, list) else [given])]
    return ["*"]


def _given(call: BaseResponse, parameter: str) -> Any:
    if call.boto3_service_name == "lambda":
        return (call.uri_match or {}).get(parameter) or call._get_param(parameter)
    return call._get_param(parameter)


def _arn(call: BaseResponse, service: str, pattern: str, name: str) -> str:
    if name.startswith(("arn:", "+")):
        return name
    if service == "ssm" and pattern.startswith("parameter"):
        name = name.lstrip("/").partition(":")[0]
    region = "" if service in _REGIONLESS else call.region
    return f"arn:aws:{service}:{region}:{call.current_account}:{pattern.format(name)}"


def _may_decrypt(call: BaseResponse, principal: Principal, resource: str) -> bool:
    """A parameter under a key of the customer's own needs kms:Decrypt; the key that AWS manages needs nothing.

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
    key = key_arn(call.current_account, call.region, parameter.keyid)
    return decision(principal.policies.values(), "kms:Decrypt", key or "none", context) == "allowed"


def key_arn(account: str, region: str, key: str) -> str | None:
    """Return the ARN of a KMS key, given by ARN, id or alias; None if there is none."""
    kms = kms_backends[account][region]
    found = kms.get_key_id(key) if not key.startswith("alias/") else kms.get_key_id_from_alias(key)
    return kms.keys[found].arn if found in kms.keys else None
