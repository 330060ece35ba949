"""Calls to AWS without its SDK: signatures, credentials, CA certificates, and what responses mean."""

import calendar
import contextlib
import json
import re
import ssl
import traceback
from pathlib import Path
from urllib.parse import parse_qsl

import certifi
import pytest

from chalicelib.aws import sns
from chalicelib.aws.client import AMAZON_ROOTS, AwsService, CallError, RejectedError, ThrottledError, TransientError
from chalicelib.aws.credentials import AwsAccess, Network, resolve_access
from chalicelib.aws.http_client import Response
from chalicelib.aws.sigv4 import sign_headers
from chalicelib.aws.ssm import ParameterStore

LAMBDA = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "a/session+token==",
    "AWS_REGION": "eu-central-1",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("headers", "body", "signature"),
    [
        ({}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ({"My-Header1": "value1"}, b"", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
        (FORM, b"Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ],
    ids=["vanilla", "header", "form"],
)
def test_a_request_is_signed_as_in_awss_published_test_suite(headers, body, signature):
    key_id, secret_key = LAMBDA["AWS_ACCESS_KEY_ID"], LAMBDA["AWS_SECRET_ACCESS_KEY"]
    access = AwsAccess("https://example.amazonaws.com", "us-east-1", key_id, secret_key, "", Network())
    signed = sign_headers(access, "service", headers, body, calendar.timegm((2015, 8, 30, 12, 36, 0)))
    assert signed["Authorization"].endswith(f"Signature={signature}")


def test_lambdas_environment_suffices():
    key_id, secret_key, token, region = LAMBDA.values()
    access = resolve_access("ssm", LAMBDA)
    assert access == AwsAccess("https://ssm.eu-central-1.amazonaws.com", region, key_id, secret_key, token, Network())
    assert secret_key not in repr(access)
    assert token not in repr(access)


def test_the_endpoint_is_the_services_or_that_of_all_services_or_the_regions():
    both = {**LAMBDA, "AWS_ENDPOINT_URL": "http://localhost:1/", "AWS_ENDPOINT_URL_SSM": "https://b.com"}
    default = {**LAMBDA, "AWS_REGION": "", "AWS_DEFAULT_REGION": "us-gov-west-1"}
    resolved = [resolve_access("ssm", both), resolve_access("sns", both), resolve_access("sns", default)]
    endpoints = ["https://b.com", "http://localhost:1", "https://sns.us-gov-west-1.amazonaws.com"]
    assert [access and access.endpoint for access in resolved] == endpoints


OF_THE_SDK = """
    AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY= AWS_REGION= AWS_REGION=cn-north-1 AWS_REGION=a/b
    AWS_PROFILE=work AWS_DEFAULT_PROFILE=work AWS_USE_FIPS_ENDPOINT=true AWS_USE_DUALSTACK_ENDPOINT=true
    AWS_CHALICE_CLI_MODE=true AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true
    AWS_ENDPOINT_URL=http://aws:4566 AWS_ENDPOINT_URL=https://a.com/b
"""


@pytest.mark.parametrize("change", OF_THE_SDK.split())
def test_settings_that_only_the_sdk_applies_are_left_to_it(change):
    name, _, value = change.partition("=")
    assert resolve_access("ssm", {**LAMBDA, name: value}) is None


def post(ca_file: str = AMAZON_ROOTS, **changes: str) -> Response | None:
    environment = {**LAMBDA, "AWS_ENDPOINT_URL": "https://localhost:1", **changes}
    return AwsService("ssm", connect_timeout=1, response_timeout=1, ca_file=ca_file, environ=environment).post({}, b"")


@pytest.mark.parametrize("file", ["missing", "malformed"])
@pytest.mark.parametrize("source", ["ca_file", "AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_ca_file_that_can_not_be_read_is_named_and_no_other_is_used(tmp_path: Path, source, file):
    path = tmp_path / "roots.pem"
    if file == "malformed":
        path.write_text("not a certificate")
    with pytest.raises(RejectedError, match=f"^CaFileError: .*{path}"):
        post(**{source: str(path)})


def test_amazons_own_roots_are_those_of_its_repository():
    roots = ssl.create_default_context(cafile=AMAZON_ROOTS)
    subjects = [dict(pair for part in root["subject"] for pair in part) for root in roots.get_ca_certs()]
    assert sorted(subject["commonName"] for subject in subjects) == [
        *(f"Amazon Root CA {number}" for number in range(1, 5)),
        "Starfield Services Root Certificate Authority - G2",
    ]
    well_known = ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True)
    assert set(roots.get_ca_certs(binary_form=True)) <= set(well_known)


class FakeService:
    """An AWS service that responds as scripted, and repeats the last response."""

    def __init__(self, *responses: tuple[int, bytes] | Exception) -> None:
        self.requests: list[bytes] = []
        self._responses = list(responses)

    def post(self, _headers: dict[str, str], body: bytes) -> Response:
        self.requests.append(body)
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        if isinstance(response, Exception):
            raise response
        return Response(response[0], {}, response[1])


def test_a_parameter_is_requested_decrypted_and_its_value_stripped():
    service = FakeService((200, b'{"Parameter": {"Type": "SecureString", "Value": " hello\\n", "Version": 7}}'))
    parameter = ParameterStore(service).get("/name")
    assert (parameter.type, parameter.value, parameter.version) == ("SecureString", "hello", 7)
    assert [json.loads(body) for body in service.requests] == [{"Name": "/name", "WithDecryption": True}]


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (400, b'{"__type": "com.amazonaws.ssm#ThrottlingException"}', ThrottledError, "ThrottlingException (400)"),
        (400, b'{"__type": "TooManyRequestsException"}', ThrottledError, "TooManyRequestsException (400)"),
        (429, b"slow down", ThrottledError, "error without a code (429)"),
        (400, b'{"__type": "AccessDenied", "message": "no"}', RejectedError, "AccessDenied (400): no"),
        (500, b'{"__type": "InternalServerError"}', TransientError, "InternalServerError (500)"),
        (503, b"<html>canary", TransientError, "error without a code (503)"),
        (200, b'{"Parameter": {"Type": "SecureString", "Value": "canary', TransientError, "malformed response"),
        (200, b'{"Value": "canary"}', TransientError, "malformed response"),
        (200, b'{"Parameter": {"Value": "canary"}}', TransientError, "malformed response"),
        (200, b'"canary"', TransientError, "malformed response"),
        (200, b"\xffcanary", TransientError, "malformed response"),
    ],
)
def test_an_error_of_parameter_store_is_classified_and_no_body_is_quoted(status, body, error, text):
    with pytest.raises(CallError) as raised:
        ParameterStore(FakeService((status, body))).get("/name")
    assert type(raised.value) is error
    assert str(raised.value).startswith(text)
    assert "canary" not in "".join(traceback.format_exception(raised.value))
    assert raised.value.__cause__ is raised.value.__context__ is None


PUBLISHED = (200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")


def test_a_message_is_published_unchanged_with_its_attributes():
    service = FakeService(PUBLISHED)
    sns.publish("50 % off & more = é €\n", {"TopicArn": "arn"}, {"event": "note_purchased", "stage": "dev"}, service)
    form = dict(parse_qsl(service.requests[0].decode(), strict_parsing=True))
    assert (form["Action"], form["TopicArn"], form["Message"]) == ("Publish", "arn", "50 % off & more = é €\n")
    entry = "MessageAttributes.entry.{}.{}".format
    attributes = {form[entry(n, "Name")]: form[entry(n, "Value.StringValue")] for n in (1, 2)}
    assert attributes == {"event": "note_purchased", "stage": "dev"}


@pytest.mark.parametrize(
    ("responses", "calls", "error"),
    [
        ([PUBLISHED], 1, ""),
        ([(500, b""), PUBLISHED], 2, ""),
        ([TransientError("reset"), PUBLISHED], 2, ""),
        ([(429, b"<Code>Throttled</Code>"), PUBLISHED], 2, ""),
        ([(200, b"<html>hello"), PUBLISHED], 2, ""),
        ([(500, b"<Code>InternalError</Code>")], 2, "InternalError (500)"),
        ([(502, b"<html>hello")], 2, "error without a code (502)"),
        ([(403, b"<Error><Code>AuthorizationError</Code></Error>")], 1, "AuthorizationError (403)"),
        ([RejectedError("CaFileError")], 1, "CaFileError"),
        ([(200, b"<html>hello")], 2, "malformed response (200)"),
        ([(200, b"<PublishResponse></PublishResponse>")], 2, "malformed response (200)"),
    ],
)
def test_a_publish_that_may_succeed_is_retried_once_and_succeeds_with_a_message_id(responses, calls, error):
    service = FakeService(*responses)
    with pytest.raises(sns.PublishError, match=re.escape(error)) if error else contextlib.nullcontext():
        sns.publish("hello", {"PhoneNumber": "+14151234567"}, None, service)
    assert len(service.requests) == calls
