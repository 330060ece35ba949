"""Every event that an operator counts writes a log line with its metric.

Which alarm rings at a metric: tests/unit/test_infrastructure.py.
"""

import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from chalice.app import CORSConfig, Response

from chalicelib import chalice_http
from chalicelib.aws import sns
from chalicelib.config import load
from chalicelib.events.notification import Notifier
from chalicelib.key_formats import SENSITIVE
from chalicelib.problems import PROBLEMS, Problem
from chalicelib.telemetry import Redactor, Telemetry

Lines = list[dict[str, Any]]
LinesOf = Callable[..., Lines]
Metric = tuple[str, str, tuple[tuple[str, str], ...]]  # namespace, name, dimensions
OF_STRIPE = {
    "type": "payment_intent.succeeded", "id": "evt_1", "created": 1, "data": {"object": {
        "id": "pi_1", "amount": 4200, "amount_received": 4200, "currency": "usd",
        "metadata": {"stage": "dev", "storage": "21"}}},
}  # fmt: skip
OF_TOPIC = {
    "event": "note_purchased", "payment_id": "pi_1", "amount": 4200, "currency": "usd", "storage": 21, "stage": "dev",
    "created": 1, "description": None, "event_id": "evt_1",
}  # fmt: skip
COUNTED = {
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

telemetry = Telemetry("dev", Redactor(SENSITIVE))
notifier = Notifier(load({"STAGE": "dev"}), telemetry)


def respond(get_response: Callable[[], object]) -> Response:
    """Respond to a request as the app does."""
    respond_to = chalice_http.problem_responses(telemetry, CORSConfig(), logging.getLogger("unit"))
    return respond_to(None, lambda _: Response(get_response()))


def fail(kind: str, **members: Any) -> None:
    raise Problem(kind, "detail", **members)


def announce() -> str | None:
    return notifier.announce(OF_STRIPE, "arn:aws:lambda:eu-west-1:1:function")


@pytest.fixture
def lines_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> LinesOf:
    """Does something in a request of the stage dev, and returns the lines that they write. SNS accepts all."""

    def lines_of(action: Callable[..., object], *arguments: object) -> Lines:
        with contextlib.suppress(sns.PublishError), telemetry.request():
            action(*arguments)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    monkeypatch.setattr(sns, "publish", lambda *_: None)
    return lines_of


def sums(lines: Lines) -> dict[Metric, float]:
    """The sums of the metrics in log lines, as CloudWatch reads them."""
    found: dict[Metric, float] = {}
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                for metric in directive["Metrics"]:
                    key = (directive["Namespace"], metric["Name"], tuple((name, line[name]) for name in names))
                    found[key] = found.get(key, 0) + line[metric["Name"]]
    return found


def of_stage(**values: float) -> dict[Metric, float]:
    return {("notes-billing", name, (("stage", "dev"),)): value for name, value in values.items()}


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_problem_counts_once_in_its_metric(lines_of: LinesOf, kind: str):
    counted = {key: value for key, value in sums(lines_of(respond, lambda: fail(kind))).items() if len(key[2]) == 1}
    assert counted == (of_stage(**{COUNTED[kind]: 1}) if kind in COUNTED else {})


def test_a_decline_is_counted_by_its_reason_too(lines_of: LinesOf):
    lines = lines_of(respond, lambda: fail("card_error", code="card_declined", decline_code="lost_card"))
    lines += lines_of(respond, lambda: fail("card_error", code="expired_card", decline_code=None))
    by_reason = {dict(key[2]).get("reason"): value for key, value in sums(lines).items()}
    assert by_reason == {None: 2, "lost_card": 1, "expired_card": 1}


def test_purchases_texts_reads_and_bugs_are_counted(lines_of: LinesOf, monkeypatch: pytest.MonkeyPatch):
    def publish(*_: object) -> None:
        raise sns.PublishError("no")

    assert sums(lines_of(respond, announce)) == of_stage(Purchases=1, Amount=4200)
    assert sums(lines_of(notifier.text_admin, json.dumps(OF_TOPIC))) == {}
    for is_refresh, metric in ((False, "KeyReads"), (True, "KeyRereads")):
        assert sums(lines_of(telemetry.secret_read(is_refresh).__enter__)) == of_stage(**{metric: 1})
    assert sums(lines_of(respond, lambda: 1 / 0)) == of_stage(InternalErrors=1)
    monkeypatch.setattr(sns, "publish", publish)
    assert sums(lines_of(respond, announce)) == of_stage(WebhookFailures=1)
    for message, metric in ((json.dumps(OF_TOPIC), "NotifyFailures"), ("not JSON", "NotifyUnreadable")):
        assert sums(lines_of(notifier.text_admin, message)) == of_stage(**{metric: 1})
