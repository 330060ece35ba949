"""Calls to AWS without its SDK: signed as the SDK signs, and only where the environment says all there is to know."""

import contextlib
import datetime
import json
import ssl
from pathlib import Path

import certifi
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.aws import client, sns
from chalicelib.aws.credentials import resolve_access
from chalicelib.aws.secret import Secret, SecretUnavailableError
from chalicelib.aws.sigv4 import sign_headers
from devstack.aws_emulator import AwsFault
from tests.support.stack import Stack
from tests.support.tls_servers import Authority, Peer, request

LAMBDA = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "a/session+token==",
    "AWS_REGION": "eu-central-1",
}
ANSWER = b'{"Parameter": {"Type": "SecureString", "Value": "hello", "Version": 7}}'


def answer(body: bytes = ANSWER, status: str = "200 OK") -> bytes:
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
    ours = sign_headers(
        headers,
        body,
        host=host,
        service="ssm",
        region="eu-central-1",
        key_id=credentials.access_key,
        secret_key=credentials.secret_key,
        token=token,
        now=stamp.replace(tzinfo=datetime.timezone.utc).timestamp(),
    )
    assert ours == dict(theirs.headers)


def test_the_call_carries_the_session_token_and_asks_for_the_decrypted_value(in_lambda: pytest.MonkeyPatch):
    received: list[bytes] = []

    def talk(connection):
        received.append(request(connection))
        connection.sendall(answer())

    with Peer(talk) as peer:
        in_lambda.setenv("AWS_ENDPOINT_URL", f"{peer.url}/")
        parameter = Secret("/name")
        assert parameter.version is None
        assert parameter.get().reveal() == "hello"
        assert parameter.version == 7
    head, _, body = received[0].partition(b"\r\n\r\n")
    lines = head.decode().splitlines()
    assert lines[0] == "POST / HTTP/1.1"
    assert f"Host: localhost:{peer.port}" in lines
    assert "X-Amz-Security-Token: a/session+token==" in lines
    assert LAMBDA["AWS_SECRET_ACCESS_KEY"] not in head.decode()
    assert json.loads(body) == {"Name": "/name", "WithDecryption": True}


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_certificate_is_verified(in_lambda: pytest.MonkeyPatch, tmp_path: Path, variable):
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")

    def talk(connection):
        request(connection)
        connection.sendall(answer())

    in_lambda.delenv("AWS_CA_BUNDLE", raising=False)
    with Peer(talk, authority.server_context("localhost")) as peer:
        in_lambda.setenv("AWS_ENDPOINT_URL_SSM", peer.url)
        in_lambda.setenv(variable, str(authority.file))
        assert Secret("/name").get().reveal() == "hello"
        in_lambda.setenv(variable, str(other.file))
        with pytest.raises(SecretUnavailableError, match="certificate verify failed"):
            Secret("/name").get()


def test_amazons_own_roots_are_those_of_its_repository():
    held = ssl.create_default_context(cafile=client._ROOTS).get_ca_certs()
    names = [dict(pair for part in root["subject"] for pair in part).get("commonName") for root in held]
    assert sorted(names) == [
        *(f"Amazon Root CA {number}" for number in range(1, 5)),
        "Starfield Services Root Certificate Authority - G2",
    ]
    well_known = ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True)
    assert set(ssl.create_default_context(cafile=client._ROOTS).get_ca_certs(binary_form=True)) <= set(well_known)


def test_another_authority_of_awss_is_believed_where_the_system_does(in_lambda: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        in_lambda.delenv(name, raising=False)
    authority = Authority(tmp_path)

    def talk(connection):
        request(connection)
        connection.sendall(answer())

    with Peer(talk, authority.server_context("localhost")) as peer:
        in_lambda.setenv("AWS_ENDPOINT_URL_SSM", peer.url)
        with pytest.raises(SecretUnavailableError, match="certificate verify failed"):
            Secret("/name", budget=1.6).get()
        client._client.cache_clear()
        in_lambda.setattr(
            ssl.SSLContext, "load_default_certs", lambda self, _purpose: self.load_verify_locations(authority.file)
        )
        assert Secret("/name").get().reveal() == "hello"


@pytest.mark.parametrize(
    "said",
    [b'{"Parameter": {"Type": "SecureString", "Value": "cana', b'{"Value": "canary"}', b'"canary"', b"\xffcanary"],
)
def test_an_answer_that_is_none_is_quoted_nowhere(in_lambda: pytest.MonkeyPatch, said):
    def talk(connection):
        request(connection)
        connection.sendall(answer(said))

    with Peer(talk) as peer:
        in_lambda.setenv("AWS_ENDPOINT_URL", peer.url)
        with pytest.raises(SecretUnavailableError) as raised:
            Secret("/name").get()
    error: BaseException | None = raised.value
    while error is not None:
        assert "cana" not in f"{error} {vars(error)} {getattr(error, 'doc', '')}"
        error = error.__cause__ or error.__context__


def test_lambdas_environment_is_enough():
    access = resolve_access("ssm", LAMBDA)
    assert access is not None
    assert access.endpoint == "https://ssm.eu-central-1.amazonaws.com"
    assert LAMBDA["AWS_SECRET_ACCESS_KEY"] not in repr(access)
    assert LAMBDA["AWS_SESSION_TOKEN"] not in repr(access)


def test_an_endpoint_of_the_service_goes_before_one_of_all():
    both = {**LAMBDA, "AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_SSM": "http://localhost:2/"}
    found = [resolve_access(service, both) for service in ("ssm", "sns")]
    assert [access and access.endpoint for access in found] == ["http://localhost:2", "http://localhost:1"]


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
def test_what_the_environment_alone_does_not_tell_is_left_to_the_sdk(change):
    assert resolve_access("ssm", {**LAMBDA, **change}) is None


@pytest.fixture
def _on_emulated_aws(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.aws.environment().items():
        monkeypatch.setenv(name, value)
    stack.published.clear()


@pytest.mark.usefixtures("_on_emulated_aws")
def test_a_text_and_a_message_are_published_as_they_are(stack: Stack):
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
    ("fault", "calls", "why"),
    [
        (AwsFault("Publish", 1, error="InternalError", status=500), 2, ""),
        (AwsFault("Publish", 1, cut=True), 2, ""),
        (AwsFault("Publish", 1, error="Throttled", status=429), 2, ""),
        (AwsFault("Publish", 9, error="InternalError", status=500), 2, "InternalError"),
        (AwsFault("Publish", 9, error="AuthorizationError", status=403), 1, "AuthorizationError"),
        (AwsFault("Publish", 9, cut=True), 2, "HttpError"),
        (AwsFault("Publish", 9, body=b"<html>hello", status=200), 2, "none"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("_on_emulated_aws")
def test_what_sns_does_not_take_is_published_once_more_or_an_error(stack: Stack, fault, calls, why):
    stack.aws.fail(fault)
    with pytest.raises(sns.PublishError, match=why) if why else contextlib.nullcontext():
        sns.publish("hello", {"PhoneNumber": "+14151234567"})
    assert stack.aws.calls == ["Publish"] * calls
    assert len(stack.published) == (0 if why else 1)
