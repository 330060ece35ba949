"""Log lines and their metrics, X-Ray subsegments, and that no secret or personal data leaves in a line."""

import contextlib
import json
import logging
import socket
from typing import Any

import pytest

from chalicelib.key_formats import SENSITIVE
from chalicelib.telemetry import JsonHandler, Redactor, Telemetry
from tests.support import log_lines
from tests.support.log_lines import metrics

SENSITIVE_TEXTS = (
    "sk_live_abc123 rk_test_abc123 pk_live_abc123 whsec_abc123 pi_123_secret_abc123 "
    "tok_abc123 pm_card_abc123 ctoken_abc123 ann.abc123+x@mail.example.com"
)
SAMPLED = "Root=1-5759e988-bd86;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("dev", Redactor(SENSITIVE))


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return log_lines.parse(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("tok_visa, (pm_card_visa) sk_live_a", "***, (***) ***"),
        ("pi_123 stays, and card_declined, and no_payment_method", None),
    ],
)
def test_redaction(text, redacted):
    assert Redactor(SENSITIVE).redact(text) == (redacted or text)


def test_a_field_of_a_request_leaves_redacted(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]):
    with telemetry.request(route=SENSITIVE_TEXTS):
        telemetry.note(cause=f"AWS: {SENSITIVE_TEXTS}", other=[{SENSITIVE_TEXTS: ValueError(SENSITIVE_TEXTS)}])
        telemetry.count("Declines", dimensions={"reason": SENSITIVE_TEXTS})
    output = capsys.readouterr().out
    assert "abc123" not in output
    assert json.loads(output)["cause"] == "AWS: *** *** *** *** pi_123_*** *** *** *** ***"


def test_a_log_record_and_its_traceback_leave_redacted(capsys: pytest.CaptureFixture[str]):
    log = logging.getLogger("tests.telemetry")
    log.addHandler(handler := JsonHandler(Redactor(SENSITIVE)))
    log.propagate = False
    try:
        raise ValueError(SENSITIVE_TEXTS) from KeyError(SENSITIVE_TEXTS)
    except ValueError as error:
        log.exception("refused %s", error)
    finally:
        log.removeHandler(handler)
    output = capsys.readouterr().out
    assert "abc123" not in output
    line = json.loads(output)
    assert line["message"] == "refused *** *** *** *** pi_123_*** *** *** *** ***"
    assert (line["level"], line["logger"]) == ("ERROR", "tests.telemetry")
    assert "ValueError: ***" in line["exception"]
    assert "KeyError: '***" in line["exception"]


def test_a_request_is_one_line_whatever_happens_in_it(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]):
    with contextlib.suppress(KeyError), telemetry.request(route="/billing", request_id=None):
        telemetry.note(status=200, code=None)
        telemetry.note(status=500)
        raise KeyError
    (line,) = written(capsys)
    assert line.pop("duration_ms") >= 0
    assert line == {"message": "request", "stage": "dev", "route": "/billing", "status": 500}


def test_lines_of_concurrent_requests_do_not_mix(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]):
    telemetry.count("KeyReads")  # during init
    with telemetry.request(route="outer"):
        telemetry.note(payment_id="pi_outer")
        with telemetry.request(route="inner"):
            telemetry.count("Purchases")
            telemetry.count("Purchases")
        telemetry.note(status=200)
    telemetry.note(lost="outside of any request")
    inner, outer = written(capsys)
    assert (inner["route"], metrics(inner)) == ("inner", {"KeyReads": 1, "Purchases": 2})
    assert not {"payment_id", "status"} & {*inner}
    assert (outer["route"], outer["payment_id"], outer["status"]) == ("outer", "pi_outer", 200)
    assert metrics(outer) == {}


def test_a_metric_has_its_unit_and_dimensions(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]):
    with telemetry.request():
        telemetry.count("Amount", 4200, "None")
        telemetry.count("Declines", dimensions={"reason": "expired_card"})
    (line,) = written(capsys)
    assert metrics(line) == {"Amount": 4200, "Declines": 1}
    assert line["reason"] == "expired_card"
    amount, declines = line["_aws"]["CloudWatchMetrics"]
    assert (amount["Metrics"], amount["Dimensions"]) == ([{"Name": "Amount", "Unit": "None"}], [["stage"]])
    assert declines["Dimensions"] == [["stage"], ["stage", "reason"]]


def test_reads_of_a_secret_are_counted(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]):
    with telemetry.request():
        for is_refresh in (False, True, True):
            with telemetry.secret_read(is_refresh):
                pass
    assert metrics(written(capsys)[0]) == {"KeyReads": 1, "KeyRereads": 2}


def test_a_call_is_a_subsegment_of_the_functions_trace_if_it_is_sampled():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(5)
        telemetry = Telemetry("dev", Redactor(SENSITIVE), f"127.0.0.1:{daemon.getsockname()[1]}")
        with telemetry.request(SAMPLED.replace("Sampled=1", "Sampled=0")), telemetry.subsegment("SNS", "aws"):
            pass
        with telemetry.request(SAMPLED):
            with telemetry.secret_read(is_refresh=False):
                pass
            with contextlib.suppress(OSError), telemetry.subsegment("api.stripe.com", "remote"):
                raise OSError
        (head, _, read), (_, _, call) = (daemon.recv(65536).decode().partition("\n") for _ in range(2))
    assert json.loads(head) == {"format": "json", "version": 1}
    read, call = json.loads(read), json.loads(call)
    assert (read["name"], read["namespace"], read["fault"]) == ("SSM", "aws", False)
    assert read["aws"] == {"operation": "GetParameter"}
    assert (call["name"], call["namespace"], call["fault"]) == ("api.stripe.com", "remote", True)
    for segment in (read, call):
        assert (segment["trace_id"], segment["parent_id"]) == ("1-5759e988-bd86", "53995c3f42cd8ad8")
        assert segment["type"] == "subsegment"
        assert segment["start_time"] <= segment["end_time"]


@pytest.mark.parametrize("daemon", ["127.0.0.1:9", "nonsense", "127.0.0.1:nonsense", "no.such.host.invalid:2000"])
@pytest.mark.parametrize("trace", [SAMPLED, "nonsense;Sampled=1"])
def test_without_a_daemon_or_a_trace_nothing_fails(capsys: pytest.CaptureFixture[str], daemon, trace):
    telemetry = Telemetry("dev", Redactor(SENSITIVE), daemon)
    with telemetry.request(trace):
        for _ in range(2):
            with telemetry.subsegment("SSM", "aws"):
                pass
    assert len(written(capsys)) == 1
