"""Features of IAM, Parameter Store and Lambda that moto lacks, on moto's own state."""

from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.responses import IamResponse
from moto.ssm.models import Parameter, SimpleSystemManagerBackend
from moto.ssm.responses import SimpleSystemManagerResponse

from tests.support import iam
from tests.support.cloud import enforcement
from tests.support.cloud.enforcement import AwsError
from tests.support.cloud.principals import find_identity, policies_of, principal_of
from tests.support.cloud.replacements import Replacements


def fill(replacements: Replacements) -> None:
    """Add what moto lacks until the replacements are undone."""
    replacements.wrap(BaseResponse, "call_action", enforcement.call_action)
    replacements.add(IamResponse, "simulate_principal_policy", simulate_principal_policy)
    replacements.add(SimpleSystemManagerResponse, "get_service_setting", get_service_setting)
    replacements.add(SimpleSystemManagerResponse, "update_service_setting", update_service_setting)
    replacements.add(SimpleSystemManagerResponse, "reset_service_setting", reset_service_setting)
    replacements.wrap(SimpleSystemManagerResponse, "put_parameter", put_parameter)
    replacements.wrap(Parameter, "describe_response_object", with_last_modified_user)
    replacements.wrap(LambdaFunction, "update_configuration", update_configuration)


def simulate_principal_policy(self: IamResponse) -> ActionResult:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html"""
    arn = self._get_param("PolicySourceArn")
    try:
        policies = policies_of(find_identity(arn))
    except NotFoundException as error:
        raise AwsError("NoSuchEntity", f"The entity {arn} cannot be found.") from error
    context = {
        entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in self._get_param("ContextEntries") or []
    }
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": iam.decision(policies.values(), action, resource, context),
        }
        for action in self._get_param("ActionNames")
        for resource in self._get_param("ResourceArns")
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def get_service_setting(self: SimpleSystemManagerResponse) -> ActionResult:
    setting = self._get_param("SettingId")
    value = _settings(self.ssm_backend).get(setting, "false")
    return ActionResult({"ServiceSetting": {"SettingId": setting, "SettingValue": value}})


def update_service_setting(self: SimpleSystemManagerResponse) -> ActionResult:
    _settings(self.ssm_backend)[self._get_param("SettingId")] = self._get_param("SettingValue")
    return ActionResult({})


def reset_service_setting(self: SimpleSystemManagerResponse) -> ActionResult:
    _settings(self.ssm_backend).pop(self._get_param("SettingId"), None)
    return get_service_setting(self)


def _settings(backend: SimpleSystemManagerBackend) -> dict[str, str]:
    return backend.__dict__.setdefault("service_settings", {})


def put_parameter(put: Any) -> Any:
    """Store who put a version, and reject a KMS key that does not exist."""

    def check_and_put(self: SimpleSystemManagerResponse) -> ActionResult:
        key = self._get_param("KeyId")
        managed = not key or key == "alias/aws/ssm"
        if not managed and not enforcement.key_arn(self.current_account, self.region, key):
            raise AwsError("InvalidKeyId", f"Invalid keyId {key}")
        response = put(self)
        principal = principal_of(self.access_key)
        parameter = self.ssm_backend.get_parameter(self._get_param("Name"))
        parameter.last_modified_user = principal.arn if principal else "N/A"
        return response

    return check_and_put


def with_last_modified_user(describe: Any) -> Any:
    def described(self: Parameter, *arguments: Any, **named: Any) -> dict[str, Any]:
        return describe(self, *arguments, **named) | {"LastModifiedUser": getattr(self, "last_modified_user", "N/A")}

    return described


def update_configuration(update: Any) -> Any:
    """Store a change of tracing and the time of the change, which moto ignores."""

    def store_and_update(self: LambdaFunction, config_updates: dict[str, Any]) -> dict[str, Any]:
        self.tracing_config = config_updates.get("TracingConfig", self.tracing_config)
        self.last_modified = utcnow().strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        return update(self, config_updates)

    return store_and_update
