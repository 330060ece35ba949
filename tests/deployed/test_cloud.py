"""The emulated cloud denies, separates and records, so that the tests of the product mean something."""

import contextlib
import json
import re
import subprocess
import sys
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Account, Cloud
from tests.support.cloud.accounts import REGION
from tests.support.cloud.principals import assume

ADDRESS = "arn:aws:ssm:us-east-1:{}:parameter/p"


@pytest.fixture
def account(cloud: Cloud) -> Account:
    """An account with the parameter /p."""
    account = cloud.account()
    account.client("ssm").put_parameter(Name="/p", Value="v", Type="SecureString")
    return account


def allow(action: str, resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def role(account: Account, *statements: dict[str, Any], name: str = "worker") -> str:
    """Create a role, or replace its permissions. Return its ARN."""
    iam = account.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    document = {"Version": "2012-10-17", "Statement": [*statements]}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document))
    return f"arn:aws:iam::{account.id}:role/{name}"


def read_as(account: Account, role_arn: str) -> Any:
    """Read /p with a role's credentials. Return the value, or the error's code and message."""
    session = assume(role_arn, "worker", REGION)
    ssm = boto3.client(
        "ssm", endpoint_url=account.environment()["AWS_ENDPOINT_URL"], aws_access_key_id=session.access_key_id,
        aws_secret_access_key=session.secret_access_key, aws_session_token=session.session_token,
    )  # fmt: skip
    return outcome(lambda: ssm.get_parameter(Name="/p", WithDecryption=True)["Parameter"]["Value"])


def outcome(call: Any) -> Any:
    try:
        return call()
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


def test_a_command_gets_its_account_and_no_settings_of_the_shell(account: Account, monkeypatch: pytest.MonkeyPatch):
    for name in ("STRIPE_API_BASE", "AWS_PROFILE", "STAGE", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "of the shell")
    assert "of the shell" not in account.environment().values()
    assert account.environment()["AWS_ACCESS_KEY_ID"] == account.key.access_key_id


def test_a_role_may_do_what_its_own_policies_allow_and_nothing_else(account: Account):
    resource = ADDRESS.format(account.id)
    read = allow("ssm:GetParameter", resource)
    role(account, read, name="colleague")
    refused = "AccessDeniedException: User: .*:assumed-role/worker/worker is not authorized to perform: "
    refused += f"ssm:GetParameter on resource: {resource} "
    for statements, expected in (
        ([allow("logs:*", "*")], refused + "because no identity-based policy allows the ssm:GetParameter action"),
        ([allow("ssm:PutParameter", resource)], refused + "because no identity-based policy allows"),
        ([allow("ssm:GetParameter", resource + "2")], refused + "because no identity-based policy allows"),
        ([read], "v"),
        ([read, {**read, "Effect": "Deny"}], refused + "with an explicit deny in an identity-based policy"),
    ):
        assert re.match(expected, read_as(account, role(account, *statements)))


def test_a_parameter_under_a_customer_managed_key_requires_permission_to_decrypt(account: Account):
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    put = {"Name": "/p", "Value": "v", "Type": "SecureString", "Overwrite": True, "KeyId": key}
    account.client("ssm").put_parameter(**put)
    resource = ADDRESS.format(account.id)
    read = allow("ssm:GetParameter", resource)
    assert "not allowed to access" in read_as(account, role(account, read))
    context = {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": resource}}
    arn = role(account, read, allow("kms:Decrypt", key, Condition=context))
    assert read_as(account, arn) == "v"


def test_an_unknown_host_is_rejected_and_recorded(cloud: Cloud, account: Account):
    fetch = "import urllib.request; urllib.request.urlopen('https://example.com')"
    command = [sys.executable, "-c", fetch]
    process = subprocess.run(command, env=account.environment(), capture_output=True, text=True, check=False)
    assert "403 No such host" in process.stderr
    assert cloud.internet.refused == ["example.com"]
