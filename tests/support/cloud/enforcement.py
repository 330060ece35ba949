"""Denies calls that the caller's policies do not allow. moto's own enforcement ignores resources."""

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.kms.models import kms_backends
from moto.sns.models import sns_backends
from moto.ssm.models import ssm_backends

from tests.support.cloud.policies import EXPLICIT_DENY, decision, listed
from tests.support.cloud.principals import Principal, principal_of

# IAM's name of an operation, where it differs from the operation's.
_ACTIONS = {"Invoke": "InvokeFunction"}
_ALWAYS_ALLOWED = {"sts:GetCallerIdentity"}
# The parameter that names the resource of a call, and the pattern of the resource's ARN.
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
    policies = principal.policies.values()
    for resource in _resources(call, service):
        result = decision(policies, action, resource)
        if result != "allowed":
            return _access_denied(service, principal, action, resource, result)
        if service == "ssm" and not _may_decrypt(call, principal, resource):
            return AwsError("AccessDeniedException", _NO_KEY)
        if action == "sns:Publish" and not _may_encrypt(call, principal, resource):
            return AwsError("KMSAccessDenied", _NO_KEY)
    return None


_NO_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are "
    "not allowed to access."
)


def _access_denied(service: str, principal: Principal, action: str, resource: str, result: str) -> ServiceException:
    reason = "with an explicit deny in an identity-based policy"
    if result != EXPLICIT_DENY:
        reason = f"because no identity-based policy allows the {action} action"
    message = f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} {reason}"
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
        value = _parameter(call, parameter)
        if value and parameter == "SubscriptionArn":
            return [value.rpartition(":")[0]]  # the topic's ARN
        if value:
            return [_arn(call, service, pattern, str(name)) for name in listed(value)]
    return ["*"]


def _parameter(call: BaseResponse, parameter: str) -> Any:
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
    key = key_arn(call.current_account, call.region, parameter.keyid)
    return decision(principal.policies.values(), "kms:Decrypt", key or "none", context) == "allowed"


def _may_encrypt(call: BaseResponse, principal: Principal, topic: str) -> bool:
    """Tell whether the principal may encrypt for a topic. A customer-managed key requires two permissions.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    encrypted = sns_backends[call.current_account][call.region].topics.get(topic)
    if encrypted is None or encrypted.kms_master_key_id in ("", None, "alias/aws/sns"):
        return True
    key = key_arn(call.current_account, call.region, encrypted.kms_master_key_id)
    context = {"kms:EncryptionContext:aws:sns:topicArn": topic, "kms:ViaService": f"sns.{call.region}.amazonaws.com"}
    actions = ("kms:GenerateDataKey", "kms:Decrypt")
    return all(decision(principal.policies.values(), action, key or "none", context) == "allowed" for action in actions)


def key_arn(account: str, region: str, key: str) -> str | None:
    """Return the ARN of a KMS key from its ARN, id or alias; None if the key does not exist."""
    kms = kms_backends[account][region]
    key_id = kms.get_key_id(key) if not key.startswith("alias/") else kms.get_key_id_from_alias(key)
    return kms.keys[key_id].arn if key_id in kms.keys else None
