"""The emulated cloud behaves as AWS where it adds to moto."""

import base64
import io
import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Account, Cloud
from tests.support.cloud.policies import allows
from tests.support.stack import eventually

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip # noqa: E501
HIGH_THROUGHPUT = "/ssm/parameter-store/high-throughput-enabled"


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return cloud.account()


def allow(action: str | list[str], resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def role(account: Account, *statements: dict[str, Any]) -> str:
    """Create a role, or replace its permissions. Return its ARN."""
    iam = account.client("iam")
    try:
        arn = iam.get_role(RoleName="worker")["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        arn = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": [*statements]}
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=json.dumps(document))
    return str(arn)


def function(account: Account, source: str, **settings: Any) -> str:
    """Create a function of one file. Return its name."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("main.py", source)
    arn = role(account, allow("logs:*", "*"))
    account.client("lambda").create_function(
        FunctionName="f", Runtime="python3.11", Role=arn, Handler="main.handle", Code={"ZipFile": package.getvalue()},
        **settings,
    )  # fmt: skip
    return "f"


def code_of(call: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


# Accounts and permissions


def test_accounts_are_separate(cloud: Cloud):
    one, other = cloud.account("111111111111"), cloud.account("222222222222")
    assert one.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::111111111111:user/operator"
    assert other.client("sts").get_caller_identity()["Account"] == "222222222222"
    one.client("ssm").put_parameter(Name="/only/here", Value="v", Type="SecureString", Overwrite=True)
    assert code_of(lambda: other.client("ssm").get_parameter(Name="/only/here")) == "ParameterNotFound"


def test_a_command_gets_its_account_and_no_settings_of_the_shell(account: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "my-own")
    program = (
        "import boto3, os; print(boto3.client('sts').get_caller_identity()['Account'], os.getenv('STRIPE_API_BASE'))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], env=account.environment(), capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == [account.id, "None"]


def test_a_denied_operator_gets_the_errors_of_aws(account: Account):
    account.deny("ssm:PutParameter", "cloudformation:*")
    with pytest.raises(
        ClientError, match="user/operator is not authorized to perform: ssm:PutParameter on resource: a"
    ):
        account.client("ssm").put_parameter(Name="/p", Value="v", Type="String")
    assert code_of(account.client("cloudformation").describe_stacks) == "AccessDenied"
    account.deny()
    account.client("ssm").put_parameter(Name="/p", Value="v", Type="String")


def test_a_parameter_under_a_customer_managed_key_requires_permission_to_decrypt(cloud: Cloud, account: Account):
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.client("kms").create_alias(AliasName="alias/own", TargetKeyId=key)
    account.client("ssm").put_parameter(Name="/p", Value="v", Type="SecureString", KeyId="alias/own")
    parameter = f"arn:aws:ssm:us-east-1:{account.id}:parameter/p"
    read = allow("ssm:GetParameter", parameter)
    role(account, read)
    ssm = as_role(cloud, account, "ssm")
    with pytest.raises(ClientError, match="not allowed to access"):
        ssm.get_parameter(Name="/p", WithDecryption=True)
    context = {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": parameter}}
    arn = role(account, read, allow("kms:Decrypt", key, Condition=context))
    assert ssm.get_parameter(Name="/p", WithDecryption=True)["Parameter"]["Value"] == "v"
    assert simulated(account, arn, "kms:Decrypt", key) == ("implicitDeny", ["kms:EncryptionContext:PARAMETER_ARN"])
    assert simulated(account, arn, "kms:Decrypt", key, parameter) == ("allowed", [])


def test_a_topic_under_a_customer_managed_key_requires_permission_to_use_the_key(cloud: Cloud, account: Account):
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    topic = account.client("sns").create_topic(Name="T", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    role(account, allow("sns:Publish", topic))
    sns = as_role(cloud, account, "sns")
    assert code_of(lambda: sns.publish(TopicArn=topic, Message="m")) == "KMSAccessDenied"
    role(account, allow("sns:Publish", topic), allow(["kms:GenerateDataKey", "kms:Decrypt"], key))
    sns.publish(TopicArn=topic, Message="m")


def as_role(cloud: Cloud, account: Account, service: str) -> Any:
    """Return a client of a service with the role's credentials."""
    arn = f"arn:aws:iam::{account.id}:role/worker"
    session = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="worker")["Credentials"]
    return boto3.client(
        service, endpoint_url=cloud.stack.aws.url, aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"], aws_session_token=session["SessionToken"],
    )  # fmt: skip


def simulated(account: Account, arn: str, action: str, resource: str, parameter: str = "") -> tuple[str, list[str]]:
    about = {"ContextKeyName": "kms:EncryptionContext:PARAMETER_ARN", "ContextKeyType": "string",
             "ContextKeyValues": [parameter]}  # fmt: skip
    (result,) = account.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=[about] if parameter else []
    )["EvaluationResults"]
    return result["EvalDecision"], result["MissingContextValues"]


def test_the_policy_simulator_reports_a_deny_and_an_unknown_role(account: Account):
    arn = role(account, allow("s3:*", "*"), {**allow("s3:Delete*", "*"), "Effect": "Deny"})
    assert simulated(account, arn, "s3:DeleteObject", "arn:aws:s3:::b/o")[0] == "explicitDeny"
    assert simulated(account, arn, "s3:GetObject", "arn:aws:s3:::b/o")[0] == "allowed"
    assert simulated(account, arn, "ec2:RunInstances", "*")[0] == "implicitDeny"
    assert code_of(lambda: simulated(account, arn + "x", "s3:GetObject", "*")) == "NoSuchEntity"


@pytest.mark.parametrize(
    ("statement", "action", "resource", "allowed"),
    [
        (allow("sns:Publish", "arn:aws:sns:*:*:T"), "sns:publish", "arn:aws:sns:us-east-1:1:T", True),
        (allow("sns:Publish", "arn:aws:sns:*:T"), "sns:Publish", "arn:aws:sns:us-east-1:1:T", True),
        (allow("sns:Publish", "arn:aws:*:*:1:T"), "sns:Publish", "arn:aws:sns:us-east-1:12:T", False),
        (allow("logs:Put?ogEvents", "arn:aws:logs:*:*:g:*"), "logs:PutLogEvents", "arn:aws:logs:r:1:g:s:x", True),
        (allow("s3:*", "arn:aws:s3:::[b]"), "s3:GetObject", "arn:aws:s3:::b", False),
        ({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b"}, "s3:Get", "arn:aws:s3:::c", True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "iam:PassRole", "*", False),
    ],
)
def test_policies_are_evaluated_as_by_iam(statement, action, resource, allowed):
    assert allows([{"Statement": statement}], action, resource) is allowed


# Parameter Store


def test_the_history_of_a_parameter_names_the_writer(account: Account):
    ssm = account.client("ssm")
    for value in ("one", "two"):
        ssm.put_parameter(Name="/p", Value=value, Type="SecureString", Description=f"is {value}", Overwrite=True)
    history = ssm.get_parameter_history(Name="/p", WithDecryption=True)["Parameters"]
    assert [(each["Version"], each["Value"], each["Description"]) for each in history] == [
        (1, "one", "is one"),
        (2, "two", "is two"),
    ]
    (described,) = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/p"]}])["Parameters"]
    assert described["LastModifiedUser"] == f"arn:aws:iam::{account.id}:user/operator"
    assert (described["Version"], described["KeyId"]) == (2, "alias/aws/ssm")
    put = {"Name": "/p", "Value": "v", "Type": "SecureString", "Overwrite": True}
    assert code_of(lambda: ssm.put_parameter(**put, KeyId="alias/missing")) == "InvalidKeyId"


def test_high_throughput_is_enabled_per_account(cloud: Cloud, account: Account):
    def value(of: Account) -> str:
        setting = of.client("ssm").get_service_setting(SettingId=HIGH_THROUGHPUT)["ServiceSetting"]
        return str(setting["SettingValue"])

    assert value(account) == "false"
    account.client("ssm").update_service_setting(SettingId=HIGH_THROUGHPUT, SettingValue="true")
    assert (value(account), value(cloud.account())) == ("true", "false")


# Lambda

COUNTS = """
import os
calls = 0
def handle(event, context):
    global calls
    calls += 1
    print("called with", event)
    if event.get("raise"):
        raise RuntimeError("as asked")
    if event.get("exit"):
        os._exit(3)
    if event.get("sleep"):
        import time
        time.sleep(event["sleep"])
    return [calls, os.environ.get("COLOUR"), context.invoked_function_arn]
"""


def test_a_container_stays_warm_until_the_function_is_updated(account: Account):
    client = account.client("lambda")
    name = function(account, COUNTS, Environment={"Variables": {"COLOUR": "red"}})
    arn = f"arn:aws:lambda:us-east-1:{account.id}:function:f"
    assert invoked(client, name) == [1, "red", arn]
    assert invoked(client, name) == [2, "red", arn]
    client.update_function_configuration(FunctionName=name, Description="Rotated.")
    assert invoked(client, name) == [1, "red", arn]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"COLOUR": "blue"}})
    assert invoked(client, name) == [1, "blue", arn]


def invoked(client: Any, name: str, **event: Any) -> Any:
    return json.loads(client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())


def test_an_invocation_returns_the_end_of_the_log_and_the_error(account: Account):
    client = account.client("lambda")
    name = function(account, COUNTS, Timeout=1)
    response = client.invoke(FunctionName=name, LogType="Tail", Payload=b'{"raise": true}')
    assert response["FunctionError"] == "Unhandled"
    assert json.loads(response["Payload"].read())["errorMessage"] == "as asked"
    log = base64.b64decode(response["LogResult"]).decode()
    assert "called with {'raise': True}" in log
    assert "[ERROR] RuntimeError: as asked" in log
    events = account.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
    assert any("called with" in event["message"] for event in events)
    assert invoked(client, name, exit=True)["errorType"] == "Runtime.ExitError"
    assert invoked(client, name)[0] == 1


def test_concurrent_invocations_get_separate_containers(account: Account):
    client = account.client("lambda")
    name = function(account, COUNTS)
    with ThreadPoolExecutor(3) as pool:
        counts = [result[0] for result in pool.map(lambda _: invoked(client, name, sleep=1), range(3))]
    assert counts == [1, 1, 1]


def test_a_message_reaches_a_function_that_allows_sns_and_is_retried(cloud: Cloud, account: Account):
    sns, client = account.client("sns"), account.client("lambda")
    topic = sns.create_topic(Name="T")["TopicArn"]
    name = function(account, COUNTS.replace('event.get("raise")', "calls < 3"))
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="not allowed")
    client.add_permission(
        FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
        SourceArn=topic,
    )  # fmt: skip
    sns.publish(TopicArn=topic, Message="allowed", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})

    def received() -> list[Any]:
        return [event["Records"][0]["Sns"] for function, event in cloud.functions.invoked if function == arn]

    assert eventually(lambda: len(received()) == 3, 20)
    assert {(message["Message"], message["TopicArn"]) for message in received()} == {("allowed", topic)}
    assert received()[0]["MessageAttributes"] == {"a": {"Type": "String", "Value": "b"}}


# The internet


def test_an_unknown_host_is_rejected_and_recorded(cloud: Cloud, account: Account):
    fetch = "import urllib.request; urllib.request.urlopen('https://example.com')"
    environment = account.environment()
    process = subprocess.run(
        [sys.executable, "-c", fetch], env=environment, capture_output=True, text=True, check=False
    )
    assert "403 No such host" in process.stderr
    assert cloud.internet.refused[-1] == "example.com"
