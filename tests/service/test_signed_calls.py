"""Signed calls to AWS without its SDK: the signature, certificates, and when the SDK is used instead."""

import contextlib
import datetime
import json
import re
import ssl
from pathlib import Path

import certifi
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.aws import sns
from chalicelib.aws.client import AMAZON_ROOTS, AwsService, RejectedError, TransientError
from chalicelib.aws.credentials import AwsAccess, Network, resolve_access
from chalicelib.aws.secret import Secret, SecretUnavailableError
from chalicelib.aws.sigv4 import sign_headers
from devstack.aws_emulator import AwsFault
from tests.support.stack import Stack
from tests.support.tls_servers import OK, Authority, ScriptedServer, receive_request, responding

LAMBDA = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "a/session+token==",
    "AWS_REGION": "eu-central-1",
}
RESPONSE = b'{"Parameter": {"Type": "SecureString", "Value": "hello", "Version": 7}}'


def response(body: bytes = RESPONSE, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize("host", ["ssm.eu-central-1.amazonaws.com", "localhost:4566"])
@pytest.mark.parametrize("body", [b"", '{"Name": "/stripeSecretKey/é"}'.encode()])
def test_a_request_is_signed_as_botocore_signs_it(token, host, body):
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameter"}
    theirs = AWSRequest("POST", f"http://{host}/", dict(headers), body)
    credentials = Credentials(LAMBDA["AWS_ACCESS_KEY_ID"], LAMBDA["AWS_SECRET_ACCESS_KEY"], token)
    SigV4Auth(credentials, "ssm", "eu-central-1").add_auth(theirs)
    stamp = datetime.datetime.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    access = AwsAccess(
        f"http://{host}", "eu-central-1", credentials.access_key, credentials.secret_key, token, Network()
    )
    ours = sign_headers(access, "ssm", headers, body, stamp.replace(tzinfo=datetime.timezone.utc).timestamp())
    assert ours == dict(theirs.headers)


def test_the_call_has_the_session_token_and_requests_decryption(in_lambda: pytest.MonkeyPatch):
    received: list[bytes] = []

    def script(connection):
        received.append(receive_request(connection))
        connection.sendall(response())

    with ScriptedServer(script) as server:
        in_lambda.setenv("AWS_ENDPOINT_URL", f"{server.url}/")
        parameter = Secret("/name")
        assert parameter.version is None
        assert parameter.get().reveal() == "hello"
        assert parameter.version == 7
    head, _, body = received[0].partition(b"\r\n\r\n")
    lines = head.decode().splitlines()
    assert lines[0] == "POST / HTTP/1.1"
    assert f"Host: localhost:{server.port}" in lines
    assert "X-Amz-Security-Token: a/session+token==" in lines
    assert LAMBDA["AWS_SECRET_ACCESS_KEY"] not in head.decode()
    assert json.loads(body) == {"Name": "/name", "WithDecryption": True}


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_certificate_is_verified(in_lambda: pytest.MonkeyPatch, tmp_path: Path, variable):
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    in_lambda.delenv("AWS_CA_BUNDLE", raising=False)
    with ScriptedServer(responding(response()), authority.server_context("localhost")) as server:
        in_lambda.setenv("AWS_ENDPOINT_URL_SSM", server.url)
        in_lambda.setenv(variable, str(authority.file))
        assert Secret("/name").get().reveal() == "hello"
        in_lambda.setenv(variable, str(other.file))
        with pytest.raises(SecretUnavailableError, match="certificate verify failed"):
            Secret("/name").get()


def test_amazons_own_roots_are_those_of_its_repository():
    roots = ssl.create_default_context(cafile=AMAZON_ROOTS)
    subjects = [dict(pair for part in root["subject"] for pair in part) for root in roots.get_ca_certs()]
    assert sorted(subject["commonName"] for subject in subjects) == [
        *(f"Amazon Root CA {number}" for number in range(1, 5)),
        "Starfield Services Root Certificate Authority - G2",
    ]
    well_known = ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True)
    assert set(roots.get_ca_certs(binary_form=True)) <= set(well_known)


def call(server: ScriptedServer, ca_file: Path | str = AMAZON_ROOTS, **environ: str) -> bytes:
    environ = {**LAMBDA, "AWS_ENDPOINT_URL": server.url, **environ}
    service = AwsService("ssm", connect_timeout=5, response_timeout=5, ca_file=str(ca_file), environ=environ)
    response = service.post({}, b"{}")
    assert response
    return response.body


def trust(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add an authority to the system's."""
    monkeypatch.setattr(
        ssl.SSLContext, "load_default_certs", lambda self, _purpose: self.load_verify_locations(authority.file)
    )


def test_the_systems_roots_verify_what_amazons_do_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    authority = Authority(tmp_path)
    context = authority.server_context("localhost")
    untrusted = pytest.raises(TransientError, match="certificate verify failed")
    with ScriptedServer(responding(OK), context) as server, untrusted:
        call(server)
    trust(authority, monkeypatch)
    with ScriptedServer(responding(OK), context) as server:
        assert call(server) == b"{}"
    assert server.accepted == 2


@pytest.mark.parametrize("file", ["missing", "malformed", "a folder"])
@pytest.mark.parametrize("source", ["amazon_roots.pem", "AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_ca_file_that_can_not_be_read_is_named_and_the_systems_roots_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source, file
):
    authority = Authority(tmp_path)
    trust(authority, monkeypatch)
    path = tmp_path / "roots.pem"
    if file == "malformed":
        path.write_text("not a certificate")
    elif file == "a folder":
        path.mkdir()
    with ScriptedServer(responding(OK), authority.server_context("localhost")) as server:
        with pytest.raises(RejectedError, match=re.escape(f"CaFileError: the CA certificates in {path} can't be read")):
            call(server, ca_file=path) if source == "amazon_roots.pem" else call(server, **{source: str(path)})
        assert server.accepted == 0


def test_a_ca_file_that_can_not_be_read_is_an_unavailable_secret_at_once(in_lambda: pytest.MonkeyPatch, tmp_path: Path):
    in_lambda.setenv("AWS_ENDPOINT_URL", "https://localhost:1")
    in_lambda.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    pauses: list[float] = []
    with pytest.raises(SecretUnavailableError, match=r"^/name: .*none\.pem can't be read"):
        Secret("/name", sleep=pauses.append).get()
    assert pauses == []


@pytest.mark.parametrize(
    "body",
    [b'{"Parameter": {"Type": "SecureString", "Value": "cana', b'{"Value": "canary"}', b'"canary"', b"\xffcanary"],
)
def test_a_malformed_response_is_quoted_nowhere(in_lambda: pytest.MonkeyPatch, body):
    with ScriptedServer(responding(response(body))) as server:
        in_lambda.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(SecretUnavailableError) as raised:
            Secret("/name").get()
    error: BaseException | None = raised.value
    while error is not None:
        assert "cana" not in f"{error} {vars(error)} {getattr(error, 'doc', '')}"
        error = error.__cause__ or error.__context__


def test_lambdas_environment_suffices():
    access = resolve_access("ssm", LAMBDA)
    assert access is not None
    assert access.endpoint == "https://ssm.eu-central-1.amazonaws.com"
    assert LAMBDA["AWS_SECRET_ACCESS_KEY"] not in repr(access)
    assert LAMBDA["AWS_SESSION_TOKEN"] not in repr(access)


def test_an_endpoint_of_the_service_precedes_one_of_all_services():
    both = {**LAMBDA, "AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_SSM": "http://localhost:2/"}
    resolved = [resolve_access(service, both) for service in ("ssm", "sns")]
    assert [access and access.endpoint for access in resolved] == ["http://localhost:2", "http://localhost:1"]


@pytest.mark.parametrize(
    "change",
    [
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_REGION": ""},
        {"AWS_REGION": "cn-north-1"},
        {"AWS_REGION": "a b"},
        {"AWS_PROFILE": "work"},
        {"AWS_DEFAULT_PROFILE": "work"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL": "http://localstack:4566"},
        {"AWS_ENDPOINT_URL": "https://example.com/path"},
        {"AWS_CHALICE_CLI_MODE": "true"},
    ],
    ids=str,
)
def test_settings_that_only_the_sdk_applies_are_left_to_it(change):
    assert resolve_access("ssm", {**LAMBDA, **change}) is None


@pytest.fixture
def _on_emulated_aws(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.aws.environment().items():
        monkeypatch.setenv(name, value)
    stack.published.clear()


@pytest.mark.usefixtures("_on_emulated_aws")
def test_a_text_and_a_message_are_published_unchanged(stack: Stack):
    text = "50 % off & more = é €\n"
    sns.publish(text, {"PhoneNumber": "+14151234567"})
    topic = stack.aws.client("sns").create_topic(Name="signed")["TopicArn"]
    sns.publish(text, {"TopicArn": topic}, {"event": "note_purchased", "stage": "dev"})
    first, second = stack.published
    assert (first["PhoneNumber"], first["Message"]) == ("+14151234567", text)
    assert (second["TopicArn"], second["Message"]) == (topic, text)
    attributes = {
        second[f"MessageAttributes.entry.{n}.Name"]: second[f"MessageAttributes.entry.{n}.Value.StringValue"]
        for n in (1, 2)
    }
    assert attributes == {"event": "note_purchased", "stage": "dev"}


@pytest.mark.parametrize(
    ("fault", "calls", "error"),
    [
        (AwsFault("Publish", 1, error="InternalError", status=500), 2, ""),
        (AwsFault("Publish", 1, cut=True), 2, ""),
        (AwsFault("Publish", 1, error="Throttled", status=429), 2, ""),
        (AwsFault("Publish", 9, error="InternalError", status=500), 2, "InternalError"),
        (AwsFault("Publish", 9, error="AuthorizationError", status=403), 1, "AuthorizationError"),
        (AwsFault("Publish", 9, cut=True), 2, "HttpError"),
        (AwsFault("Publish", 9, body=b"<html>hello", status=200), 2, "malformed response"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("_on_emulated_aws")
def test_a_publish_that_may_succeed_is_retried_once(stack: Stack, fault, calls, error):
    stack.aws.fail(fault)
    with pytest.raises(sns.PublishError, match=error) if error else contextlib.nullcontext():
        sns.publish("hello", {"PhoneNumber": "+14151234567"})
    assert stack.aws.calls == ["Publish"] * calls
    assert len(stack.published) == (0 if error else 1)


@pytest.mark.usefixtures("_on_emulated_aws")
def test_the_sdk_publishes_where_only_it_can_find_the_credentials(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_CHALICE_CLI_MODE", "true")
    assert sns.account() == f"arn:aws:lambda:us-east-1:{stack.aws.client('sts').get_caller_identity()['Account']}"
    stack.aws.fail(AwsFault("Publish", 1, error="InternalError", status=500))
    sns.publish("hello", {"PhoneNumber": "+14151234567"}, {"event": "note_purchased"})
    assert stack.aws.calls.count("Publish") == 2
    assert [(text["Message"], text["MessageAttributes.entry.1.Value.StringValue"]) for text in stack.published] == [
        ("hello", "note_purchased")
    ]
    stack.aws.fail(AwsFault("Publish", 9, error="AuthorizationError", status=403))
    with pytest.raises(sns.PublishError, match=r"AuthorizationError \(403\)"):
        sns.publish("hello", {"PhoneNumber": "+14151234567"})
    assert stack.aws.calls.count("Publish") == 3
