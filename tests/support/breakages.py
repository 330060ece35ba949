"""Problems of dev in Parameter Store, Lambda, API Gateway and IAM, each repaired at the end."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from devstack.aws_emulator import AwsFault
from tests.support.operator_session import Operator

KEY, SIGNING_SECRET = "/stripeSecretKey/test", "/stripeWebhookSecret/dev"
API, NOTIFY = "notes-billing-dev", "notes-billing-dev-notify"
ROLE = "notes-billing-dev-api_handler"
DESCRIPTION = "Signing secret of the webhook endpoint "

Breakage = Callable[[Operator], contextlib.AbstractContextManager[Any]]


def breakage(function: Callable[..., Iterator[None]]) -> Callable[..., Breakage]:
    """Convert a generator whose first parameter is the operator to `name(arguments)(operator)`."""
    manager = contextlib.contextmanager(function)
    return lambda *arguments, **named: lambda operator: manager(operator, *arguments, **named)


def stored(operator: Operator, name: str = KEY) -> str:
    return operator.dev.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]


def put(operator: Operator, name: str, value: str, **settings: str) -> None:
    _delete(operator, name)
    operator.dev.client("ssm").put_parameter(Name=name, Value=value, **{"Type": "SecureString", **settings})


def described(operator: Operator, name: str) -> dict[str, Any]:
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    parameters = operator.dev.client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"]
    return parameters[0] if parameters else {}


def _delete(operator: Operator, name: str) -> None:
    ssm = operator.dev.client("ssm")
    with contextlib.suppress(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name=name)


@breakage
def parameter(operator: Operator, name: str, value: Callable[[Operator], str] | None = None, **settings: Any):
    """Replace a parameter's value or settings. A setting may be a function of the operator."""
    before, description = stored(operator, name), described(operator, name).get("Description", "")
    settings = {key: setting(operator) if callable(setting) else setting for key, setting in settings.items()}
    put(operator, name, value(operator) if value else before, **{"Description": description, **settings})
    with _restored(operator, name, before, description):
        yield


@breakage
def no_parameter(operator: Operator, name: str):
    before, description = stored(operator, name), described(operator, name).get("Description", "")
    _delete(operator, name)
    with _restored(operator, name, before, description):
        yield


@contextlib.contextmanager
def _restored(operator: Operator, name: str, value: str, description: str) -> Iterator[None]:
    """Restore a parameter at the end, unless the test repaired it."""
    broken = described(operator, name)
    try:
        yield
    finally:
        if described(operator, name) == broken:
            put(operator, name, value, Description=description)


@breakage
def revoked_key(operator: Operator):
    key = stored(operator)
    operator.stack.stripe.keys.revoke(key)
    try:
        yield
    finally:
        operator.stack.stripe.keys.add(key)


@breakage
def nothing(operator: Operator):
    """Change nothing: the problem is in the arguments of the doctor."""
    yield


@breakage
def session_error(operator: Operator, code: str):
    operator.stack.aws.fail(AwsFault("GetCallerIdentity", error=code, status=403))
    try:
        yield
    finally:
        operator.stack.aws.clear_faults()


@breakage
def denied(operator: Operator, *actions: str):
    operator.dev.deny(*actions)
    try:
        yield
    finally:
        operator.dev.deny()


@breakage
def configured(operator: Operator, function: str = API, **settings: Any):
    """Change a function's configuration. Variables of `Environment` are added."""
    client = operator.dev.client("lambda")
    configuration = client.get_function_configuration(FunctionName=function)
    before = {name: configuration[name] for name in settings}
    if "Environment" in settings:
        settings["Environment"] = {"Variables": {**before["Environment"]["Variables"], **settings["Environment"]}}
    client.update_function_configuration(FunctionName=function, **settings)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=function, **before)


@breakage
def second_api(operator: Operator):
    gateway = operator.dev.client("apigateway")
    api = gateway.create_rest_api(name="notes-billing")["id"]
    resource = gateway.get_resources(restApiId=api)["items"][0]["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    arn = operator.dev.client("lambda").get_function_configuration(FunctionName=API)["FunctionArn"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    try:
        yield
    finally:
        with contextlib.suppress(gateway.exceptions.NotFoundException):
            gateway.delete_rest_api(restApiId=api)


@breakage
def attached_policy(operator: Operator):
    iam = operator.dev.client("iam")
    document = policy(allow("s3:*"))
    arn = iam.create_policy(PolicyName="ByHand", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
    try:
        yield
    finally:
        with contextlib.suppress(iam.exceptions.NoSuchEntityException):
            iam.detach_role_policy(RoleName=ROLE, PolicyArn=arn)
        iam.delete_policy(PolicyArn=arn)


@breakage
def inline_policy(operator: Operator):
    iam = operator.dev.client("iam")
    iam.put_role_policy(RoleName=ROLE, PolicyName="ByHand", PolicyDocument=policy(allow("s3:*")))
    try:
        yield
    finally:
        with contextlib.suppress(iam.exceptions.NoSuchEntityException):
            iam.delete_role_policy(RoleName=ROLE, PolicyName="ByHand")


@breakage
def statements(operator: Operator, change: Callable[[list[Any]], list[Any]], *, in_repository: bool = False):
    """Change the statements of the policy that Chalice made, optionally in the repository's file too."""
    iam, file = operator.dev.client("iam"), operator.folder / ".chalice" / "policy-dev.json"
    before = file.read_text()
    after = policy(*change(json.loads(before)["Statement"]))
    iam.put_role_policy(RoleName=ROLE, PolicyName=ROLE, PolicyDocument=after)
    if in_repository:
        file.write_text(after)
    try:
        yield
    finally:
        file.write_text(before)
        iam.put_role_policy(RoleName=ROLE, PolicyName=ROLE, PolicyDocument=before)


@breakage
def trusted_by(operator: Operator, principal: dict[str, str]):
    iam = operator.dev.client("iam")
    before = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    other = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = {**before, "Statement": [*before["Statement"], other]}
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(before))


def allow(action: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def policy(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements]})


def kms_key(operator: Operator) -> str:
    return operator.dev.client("kms").create_key()["KeyMetadata"]["Arn"]


def another_python() -> str:
    return "python3.12" if sys.version_info[:2] != (3, 12) else "python3.13"
