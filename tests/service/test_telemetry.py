"""One log line per request with its metrics, X-Ray subsegments, and no secret or personal data in either."""

import contextlib
import io
import json
import socket
from typing import Any

import pytest

from chalicelib.key_formats import SENSITIVE
from chalicelib.telemetry import Redactor, Telemetry
from devstack.aws_emulator import AwsFault
from tests.support.lambda_container import Container, billing_event
from tests.support.stack import PURCHASE, TEST_PARAMETER, Api, Stack


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def test_a_request_is_one_log_line_with_its_ids(stack: Stack):
    with Container(stack) as container:
        paid = container.post(PURCHASE, Idempotency_Key="the-callers-key").json()
        declined = container.post({"source": "tok_chargeDeclined", "storage": 1}).json()
        refused = container.post({}).json()
        logged = lines(container.output())
    assert [line["message"] for line in logged] == ["request"] * 3
    first, second, third = logged
    assert (first["stage"], first["method"], first["route"], first["status"]) == ("dev", "POST", "/billing", 200)
    assert first["payment_id"] == paid["id"]
    assert first["duration_ms"] > 0
    assert len(first["idempotency_key_hash"]) == 16
    assert (second["status"], second["code"], second["payment_id"]) == (402, "card_declined", declined["payment_id"])
    assert second["request_id"] == declined["request_id"]
    assert (third["status"], third["request_id"]) == (400, refused["request_id"])
    assert "the-callers-key" not in json.dumps(logged)
    assert "tok_" not in json.dumps(logged)
    assert "us-east-1:" not in json.dumps(logged)


def test_a_log_line_has_the_version_of_the_key_in_use(stack: Stack):
    """An operator sees in the log when a rotated key is in use."""
    old, new = stack.issue_key(), stack.issue_key()
    ssm = stack.aws.client("ssm")
    versions = []
    stack.aws.fail(AwsFault("GetParameter", count=100, error="AccessDeniedException"))
    with Container(stack) as container:
        container.post({})
        stack.aws.clear_faults()
        for key in (old, new):
            stack.aws.put_secret(TEST_PARAMETER, key)
            versions.append(ssm.get_parameter(Name=TEST_PARAMETER)["Parameter"]["Version"])
            container.post(PURCHASE)
            container.post(PURCHASE)
            stack.stripe.keys.revoke(key)
        logged = [line.get("key_version") for line in lines(container.output()) if line["message"] == "request"]
    assert logged == [None, versions[0], versions[0], versions[1], versions[1]]


def test_chalice_local_writes_the_same_line(fresh_api: Api, stack: Stack):
    fresh_api.post(PURCHASE)
    version = stack.aws.client("ssm").get_parameter(Name=TEST_PARAMETER)["Parameter"]["Version"]
    assert f'"key_version": {version}' in fresh_api.output()


def metrics(line: dict[str, Any]) -> dict[str, Any]:
    """A line's metrics, read as CloudWatch reads them."""
    directives = line.get("_aws", {}).get("CloudWatchMetrics", [])
    for directive in directives:
        assert directive["Namespace"] == "notes-billing"
        assert all(name in line for names in directive["Dimensions"] for name in names)
    named = [metric["Name"] for directive in directives for metric in directive["Metrics"]]
    assert len(named) == len(set(named))
    return {name: line[name] for name in named}


def test_events_are_counted_as_metrics(stack: Stack):
    revoked = stack.issue_key()
    stack.aws.put_secret("/stripeSecretKey/test", revoked)
    with Container(stack) as container:
        container.post(PURCHASE)
        stack.aws.put_secret("/stripeSecretKey/test", stack.key)
        stack.stripe.keys.revoke(revoked)
        container.post(PURCHASE)
        container.post({"source": "tok_chargeDeclinedInsufficientFunds", "storage": 1})
        stack.stripe.faults.add(count=10, status=500, match="/v1/payment_intents")
        container.post(PURCHASE)
        counted = [metrics(line) for line in lines(container.output())]
    assert counted == [{"KeyReads": 1}, {"KeyRereads": 1}, {"Declines": 1}, {"ProviderErrors": 1}]


def test_declines_are_counted_by_code(stack: Stack):
    with Container(stack) as container:
        container.post(PURCHASE)
        container.post({"source": "tok_chargeDeclinedInsufficientFunds", "storage": 1})
        _, line = lines(container.output())
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["stage"], ["stage", "reason"]]
    assert line["reason"] == "insufficient_funds"
    assert line["code"] == "card_declined"


def test_upstream_calls_are_subsegments_of_the_functions_trace(stack: Stack):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(10)
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        stack.aws.put_secret("/stripeSecretKey/test", "sk_live_" + "a" * 24)  # refused, so that a request reads again
        with Container(stack, AWS_XRAY_DAEMON_ADDRESS=address, _X_AMZN_TRACE_ID=trace) as container:
            stack.aws.put_secret("/stripeSecretKey/test", stack.key)
            assert container.post(PURCHASE).status_code == 200
            datagrams = [daemon.recv(65536).decode() for _ in range(2)]
    heads, documents = zip(*(datagram.split("\n", 1) for datagram in datagrams), strict=True)
    assert {json.dumps(json.loads(head)) for head in heads} == {'{"format": "json", "version": 1}'}
    segments = {json.loads(document)["name"]: json.loads(document) for document in documents}
    assert set(segments) == {"SSM", "api.stripe.com"}
    for segment in segments.values():
        assert segment["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
        assert segment["parent_id"] == "53995c3f42cd8ad8"
        assert segment["type"] == "subsegment"
        assert segment["start_time"] <= segment["end_time"]
        assert segment["fault"] is False
    assert segments["SSM"]["namespace"] == "aws"
    assert segments["SSM"]["aws"] == {"operation": "GetParameter"}


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9", "_X_AMZN_TRACE_ID": "Root=1-2-3;Parent=4;Sampled=1"},  # nobody there
        {"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9", "_X_AMZN_TRACE_ID": "Root=1-2-3;Parent=4;Sampled=0"},
        {"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9", "_X_AMZN_TRACE_ID": "nonsense;Sampled=1"},
        {"AWS_XRAY_DAEMON_ADDRESS": "nonsense", "_X_AMZN_TRACE_ID": "Root=1-2-3;Parent=4;Sampled=1"},
        {"AWS_XRAY_DAEMON_ADDRESS": "no.such.host.invalid:2000", "_X_AMZN_TRACE_ID": "Root=1;Parent=4;Sampled=1"},
    ],
)
def test_without_a_daemon_tracing_is_silent(stack: Stack, environment):
    with Container(stack, **environment) as container:
        assert container.post(PURCHASE).status_code == 200
        assert len(container.output().splitlines()) == 1


def test_an_unhandled_exception_is_logged_as_json_with_its_traceback(stack: Stack):
    with Container(stack) as container:
        event = billing_event(PURCHASE)
        # Not an event of API Gateway, which would name the payment.
        event["requestContext"] |= {"resourcePath": "/billing/{payment_id}", "httpMethod": "GET"}
        response = container.invoke(event)
        logged = lines(container.output())
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "TypeError" in logged[0]["exception"]
    assert metrics(logged[-1])["InternalErrors"] == 1


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key sk_live_abc123 refused", "key *** refused"),
        ("rk_test_abc whsec_abc pk_live_abc", "*** *** ***"),
        ("pi_123_secret_456", "pi_123_***"),
        ("pi_123 stays, and card_declined, and no_payment_method", None),
        ("paid with tok_visa, pm_card_visa or ctoken_1", "paid with ***, *** or ***"),
        ("ann.lee+x@mail.example.com", "***"),
    ],
)
def test_redaction(text, redacted):
    assert Redactor(SENSITIVE).redact(text) == (text if redacted is None else redacted)


def test_lines_of_concurrent_requests_do_not_mix():
    telemetry = Telemetry("dev", Redactor(SENSITIVE))
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        telemetry.count("KeyReads")  # during init
        with telemetry.request(route="outer"):
            telemetry.note(payment_id="pi_outer")
            with telemetry.request(route="inner"):
                telemetry.count("Purchases")
                telemetry.count("Purchases")
        telemetry.note(lost="outside of any request")
    inner, outer = lines(written.getvalue())
    assert metrics(inner) == {"KeyReads": 1, "Purchases": 2}
    assert "payment_id" not in inner
    assert (outer["route"], outer["payment_id"], metrics(outer)) == ("outer", "pi_outer", {})
