"""The log of a container: one line per request with its ids and metrics, and no secret or personal data in it."""

import json
import socket

from devstack.aws_emulator import AwsFault
from tests.support import log_lines
from tests.support.lambda_container import Container, billing_event
from tests.support.stack import PURCHASE, TEST_PARAMETER, Stack


def test_a_request_is_one_log_line_with_its_ids(stack: Stack):
    """stripe-python's own lines, which have whole requests and responses, are not logged."""
    with Container(stack, STRIPE_LOG="debug") as container:
        paid = container.post(PURCHASE, Idempotency_Key="the-callers-key").json()
        declined = container.post({"source": "tok_chargeDeclined", "storage": 1}).json()
        refused = container.post({}).json()
        logged = log_lines.parse(container.output())
    assert [line["message"] for line in logged] == ["request"] * 3
    first, second, third = logged
    assert (first["stage"], first["method"], first["route"], first["status"]) == ("dev", "POST", "/billing", 200)
    assert first["payment_id"] == paid["id"]
    assert first["duration_ms"] > 0
    assert len(first["idempotency_key_hash"]) == 16
    assert (second["status"], second["code"], second["payment_id"]) == (402, "card_declined", declined["payment_id"])
    assert second["request_id"] == declined["request_id"]
    assert (third["status"], third["request_id"]) == (400, refused["request_id"])
    assert not [text for text in ("the-callers-key", "tok_", "us-east-1:") if text in json.dumps(logged)]


def test_a_log_line_has_the_metrics_of_its_events_and_the_version_of_the_key_in_use(stack: Stack):
    first = stack.issue_key()
    ssm = stack.aws.client("ssm")
    versions: list[int | None] = [None]
    stack.aws.fail(AwsFault("GetParameter", count=100, error="AccessDeniedException"))
    with Container(stack) as container:
        container.post(PURCHASE)
        stack.aws.clear_faults()
        for key, replaced in ((first, None), (stack.key, first)):
            stack.aws.put_secret(TEST_PARAMETER, key)
            versions.append(ssm.get_parameter(Name=TEST_PARAMETER)["Parameter"]["Version"])
            if replaced:
                stack.stripe.keys.revoke(replaced)
            container.post(PURCHASE)
        logged = [line for line in log_lines.parse(container.output()) if line["message"] == "request"]
    assert [line.get("key_version") for line in logged] == versions
    # The first line has the read during init too. The metrics of each problem: tests/unit/test_problems.py.
    metrics = [{"KeyReads": 2, "KeyUnavailable": 1}, {"KeyReads": 1}, {"KeyRereads": 1}]
    assert [log_lines.metrics(line) for line in logged] == metrics


def test_calls_of_a_request_are_subsegments_of_the_functions_trace(stack: Stack):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(10)
        stack.aws.fail(AwsFault("GetParameter", error="AccessDeniedException"))  # so that a request reads, too
        trace = {"_X_AMZN_TRACE_ID": "Root=1-5759e988-bd86;Parent=53995c3f;Sampled=1"}
        with Container(stack, AWS_XRAY_DAEMON_ADDRESS=f"127.0.0.1:{daemon.getsockname()[1]}", **trace) as container:
            container.post(PURCHASE)
            segments = [json.loads(daemon.recv(65536).decode().partition("\n")[2]) for _ in range(2)]
    assert [(segment["name"], segment["parent_id"]) for segment in segments] == [
        ("SSM", "53995c3f"),
        ("api.stripe.com", "53995c3f"),
    ]


def test_a_bug_is_logged_with_its_traceback_and_an_upstream_message_leaves_redacted(stack: Stack):
    secrets = "sk_live_abc123 whsec_abc123 tok_abc123 pi_1_secret_abc123 ann.abc123@example.com"
    stack.aws.fail(AwsFault("GetParameter", count=2, error="AccessDeniedException", message=secrets))
    event = billing_event(PURCHASE)
    # Not an event of API Gateway, which would name the payment.
    event["requestContext"] |= {"resourcePath": "/billing/{payment_id}", "httpMethod": "GET"}
    with Container(stack) as container:
        responses = container.invoke(event), container.post(PURCHASE)
        output = container.output()
    assert [response.json()["code"] for response in responses] == ["internal_error", "stripe_key_unavailable"]
    during_init, traceback, bug, unavailable = (json.loads(line) for line in output.splitlines())
    assert "TypeError" in traceback["exception"]
    assert log_lines.metrics(bug) == {"KeyReads": 1, "InternalErrors": 1}
    for text in (during_init["message"], unavailable["cause"]):
        assert "AccessDeniedException (400): *** *** *** pi_1_*** ***" in text
    assert "abc123" not in output + responses[1].text
