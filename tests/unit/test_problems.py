"""Every error response has the form of RFC 9457, whether the app, Chalice or a bug made it, and is counted.

Which alarm rings at a metric: tests/unit/test_infrastructure.py.
"""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from chalice.app import CORSConfig, Response

from chalicelib import chalice_http
from chalicelib.key_formats import SENSITIVE
from chalicelib.problems import PROBLEMS, Problem, from_chalice, invalid_request
from chalicelib.telemetry import Redactor, Telemetry
from tests.support import log_lines

Json = dict[str, Any]
METRICS = {
    "card_error": "Declines",
    "signature_invalid": "WebhookRefusals",
    "announcement_failed": "WebhookFailures",
    "webhook_secret_unavailable": "WebhookFailures",
    "rate_limited": "ProviderErrors",
    "payment_provider_error": "ProviderErrors",
    "outcome_unknown": "ProviderErrors",
    "internal_error": "InternalErrors",
    "stripe_key_rejected": "KeyUnavailable",
    "stripe_key_unavailable": "KeyUnavailable",
}


@pytest.fixture
def line_of(capsys: pytest.CaptureFixture[str]) -> Callable[[Exception], Json]:
    """Returns the log line of a request whose route raises an error."""

    def line_of(error: Exception) -> Json:
        def route(_request: object) -> Response:
            raise error

        telemetry = Telemetry("dev", Redactor(SENSITIVE))
        with telemetry.request():
            chalice_http.problem_responses(telemetry, CORSConfig(), logging.getLogger("unit"))(None, route)
        (line,) = log_lines.parse(capsys.readouterr().out)
        return line

    return line_of


def test_a_problem_is_a_response_with_its_status_code_id_and_headers():
    problem = Problem("rate_limited", "Wait.", code="too_many", retry_after=5, allow="GET", cause="secret", a=1, b=None)
    response = problem.response("request-1")
    title = PROBLEMS["rate_limited"][1]
    urn = "urn:problem-type:notes-billing:too_many"
    members = {"type": urn, "title": title, "status": 429, "detail": "Wait.", "code": "too_many", "a": 1}
    assert (response.status_code, response.body) == (429, members | {"request_id": "request-1"})
    assert response.headers == {"Content-Type": "application/problem+json", "Retry-After": "5", "Allow": "GET"}


def test_an_invalid_request_names_its_fields():
    problem = invalid_request(("storage", "is missing"), ("source", "is unknown"))
    assert [error["field"] for error in problem.members["errors"]] == ["storage", "source"]
    assert problem.detail == "storage is missing; source is unknown."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (405, {"Code": "MethodNotAllowedError"}, "method_not_allowed"),
        (415, {"Code": "UnsupportedMediaType"}, "unsupported_media_type"),
        (400, {"Code": "BadRequestError"}, "internal_error"),
        (400, {"code": "invalid_request"}, None),
        (400, "text", None),
        (200, {"Code": "fields of a response"}, None),
    ],
)
def test_chalices_own_errors_become_problems(status, body, kind):
    problem = from_chalice(Response(body, status_code=status, headers={"Allow": "GET"}))
    assert (problem.kind if problem else None) == kind
    assert status != 405 or problem.headers == {"Allow": "GET"}
    assert kind != "internal_error" or problem.status == 500


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_problem_counts_once_in_its_metric(line_of, kind: str):
    line = line_of(Problem(kind, "detail"))
    assert line["stage"] == "dev"
    assert log_lines.metrics(line) == ({METRICS[kind]: 1} if kind in METRICS else {})


def test_a_decline_is_counted_by_its_reason_too_and_a_bug_is_counted(line_of):
    for code, decline_code, reason in (
        ("card_declined", "lost_card", "lost_card"),
        ("expired_card", None, "expired_card"),
    ):
        line = line_of(Problem("card_error", "detail", code=code, decline_code=decline_code))
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert (line["reason"], directive["Dimensions"]) == (reason, [["stage"], ["stage", "reason"]])
    assert log_lines.metrics(line_of(ZeroDivisionError())) == {"InternalErrors": 1}
