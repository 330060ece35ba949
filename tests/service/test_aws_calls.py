"""The package `chalicelib/aws`: calls over the network, calls that the SDK makes, and its use in another app."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.aws import sns
from chalicelib.aws.client import AwsService, TransientError
from chalicelib.aws.secret import Secret, SecretUnavailableError
from devstack.aws_emulator import AwsFault
from tests import APP
from tests.support.stack import TEST_PARAMETER, Stack
from tests.support.tls_servers import OK, Authority, ScriptedServer, responding

LAMBDA = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "a/session+token==",
    "AWS_REGION": "eu-central-1",
}


def call(server: ScriptedServer, **environ: str) -> bytes:
    environ = {**LAMBDA, "AWS_ENDPOINT_URL": f"{server.url}/", **environ}
    response = AwsService("ssm", connect_timeout=5, response_timeout=5, environ=environ).post({"X-A": "b"}, b"body")
    return response.body if response else b""


def test_a_call_is_signed_and_sent_to_the_endpoint():
    received: list[bytes] = []
    with ScriptedServer(responding(OK, received)) as server:
        assert call(server) == b"{}"
    head, _, body = received[0].decode().partition("\r\n\r\n")
    assert (head.partition("\r")[0], body) == ("POST / HTTP/1.1", "body")
    assert f"Host: localhost:{server.port}\r" in head
    assert "Token: a/session+token==\r" in head
    assert "SignedHeaders=host;x-a;x-amz-date;x-amz-security-token," in head
    assert LAMBDA["AWS_SECRET_ACCESS_KEY"] not in head


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_certificate_is_verified_with_the_ca_file_of_the_environment(tmp_path: Path, variable):
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    with ScriptedServer(responding(OK), authority.server_context("localhost")) as server:
        assert call(server, **{variable: str(authority.file)}) == b"{}"
        with pytest.raises(TransientError, match="certificate verify failed"):
            call(server, **{variable: str(other.file)})


def test_the_systems_roots_verify_what_amazons_do_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    authority = Authority(tmp_path)
    servers = [ScriptedServer(responding(OK), authority.server_context("localhost")) for _ in range(2)]
    with servers[0], pytest.raises(TransientError, match="certificate verify failed"):
        call(servers[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))  # of this process: it is OpenSSL that reads it
    with servers[1]:
        assert call(servers[1]) == b"{}"
    assert [server.accepted for server in servers] == [2, 2]  # Amazon's roots are tried first


@pytest.fixture
def on_emulated_aws(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in stack.aws.environment().items():
        monkeypatch.setenv(name, value)
    stack.published.clear()
    return monkeypatch


def test_the_sdk_publishes_where_only_it_can_find_the_credentials(stack: Stack, on_emulated_aws: pytest.MonkeyPatch):
    on_emulated_aws.setenv("AWS_CHALICE_CLI_MODE", "true")
    assert sns.account() == f"arn:aws:lambda:us-east-1:{stack.aws.client('sts').get_caller_identity()['Account']}"
    stack.aws.fail(AwsFault("Publish", 1, error="InternalError", status=500))
    sns.publish("hello", {"PhoneNumber": "+14151234567"}, {"event": "note_purchased"})
    (text,) = stack.published
    assert (text["Message"], text["MessageAttributes.entry.1.Value.StringValue"]) == ("hello", "note_purchased")
    stack.aws.fail(AwsFault("Publish", 9, error="AuthorizationError", status=403))
    with pytest.raises(sns.PublishError, match=r"AuthorizationError \(403\)"):
        sns.publish("hello", {"PhoneNumber": "+14151234567"})
    assert stack.aws.calls.count("Publish") == 3


def test_credentials_that_come_later_are_found(stack: Stack, on_emulated_aws: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        on_emulated_aws.delenv(name)
    on_emulated_aws.setenv("AWS_EC2_METADATA_DISABLED", "true")
    on_emulated_aws.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    secret = Secret(TEST_PARAMETER)
    with pytest.raises(SecretUnavailableError, match="credentials"):
        secret.get()
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert secret.get().reveal() == stack.key


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ENDPOINT_URL", "nonsense"), ("AWS_PROFILE", "nobody"), ("AWS_DEFAULT_REGION", "a b")]
)
def test_invalid_aws_settings_are_an_unavailable_secret(on_emulated_aws: pytest.MonkeyPatch, name, value):
    on_emulated_aws.setenv(name, value)
    with pytest.raises(SecretUnavailableError, match=TEST_PARAMETER):
        Secret(TEST_PARAMETER, timeout=2).get()


PROGRAM = f"""\
import importlib, pkgutil, sys
from chalicelib import aws
from chalicelib.aws.secret import Secret
for module in pkgutil.iter_modules(aws.__path__):
    importlib.import_module(f"chalicelib.aws.{{module.name}}")
key = Secret("{TEST_PARAMETER}")
key.start()
key.wait()
print(aws.__path__[0], "boto3" in sys.modules, key.get().reveal())
"""


@pytest.mark.parametrize("through_sdk", [False, True])
def test_a_copy_in_another_app_reads_a_secure_string(stack: Stack, tmp_path: Path, through_sdk: bool):
    copy = tmp_path / "chalicelib" / "aws"
    shutil.copytree(APP / "chalicelib" / "aws", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "chalicelib" / "__init__.py").touch()
    environment = stack.aws.environment() | ({"AWS_CHALICE_CLI_MODE": "true"} if through_sdk else {})
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [os.fspath(copy), str(through_sdk), stack.key], done.stderr
    assert stack.reads() == 1


def test_no_package_imports_anything_by_itself():
    packages = list((APP / "chalicelib").glob("*/__init__.py"))
    assert len(packages) >= 4
    assert [file.read_text() for file in packages] == [""] * len(packages)
