"""Every event that an operator counts writes a log line with its metric, and every alarm rings at such lines."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from chalice.app import CORSConfig, Response

from chalicelib import chalice_http
from chalicelib.aws import sns
from chalicelib.config import load
from chalicelib.events.notification import Notifier
from chalicelib.key_formats import SENSITIVE
from chalicelib.problems import PROBLEMS, Problem
from chalicelib.telemetry import Redactor, Telemetry
from tests import PROJECT

Lines = list[dict[str, Any]]
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
# By kind of problem: the metric that counts it, and the alarm.
COUNTED = {
    "card_error": ("Declines", None),
    "signature_invalid": ("WebhookRefusals", "WebhookFailures"),
    "announcement_failed": ("WebhookFailures", "WebhookFailures"),
    "webhook_secret_unavailable": ("WebhookFailures", "WebhookFailures"),
    "rate_limited": ("ProviderErrors", "PaymentErrors"),
    "payment_provider_error": ("ProviderErrors", "PaymentErrors"),
    "outcome_unknown": ("ProviderErrors", "PaymentErrors"),
    "internal_error": ("InternalErrors", "PaymentErrors"),
    "stripe_key_rejected": ("KeyUnavailable", "KeyUnavailable"),
    "stripe_key_unavailable": ("KeyUnavailable", "KeyUnavailable"),
}
# The events within one period at which an alarm rings.
THRESHOLDS = {"PaymentErrors": 3, "WebhookFailures": 3, "KeyUnavailable": 1, "NotifyFailures": 1}

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
def lines_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lines]:
    """Does something in as many requests of the stage dev, and returns the lines that they write. SNS accepts all."""

    def lines_of(action: Callable[..., object], *arguments: object, times: int = 1) -> Lines:
        for _ in range(times):
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


class Template(yaml.SafeLoader):
    """Loads the CloudFormation template with its parameter Stage as dev."""

    def resolve_tag(self, _tag: str, node: yaml.Node) -> Any:
        return "dev" if node.value == "Stage" else str(node.value).replace("${Stage}", "dev")


Template.add_multi_constructor("!", Template.resolve_tag)
RESOURCES = yaml.load((PROJECT / "infrastructure" / "notes-billing.yaml").read_text(), Template)["Resources"]
ALARMS = {name: it["Properties"] for name, it in RESOURCES.items() if it["Type"] == "AWS::CloudWatch::Alarm"}


def watched(alarm: dict[str, Any]) -> Iterator[Metric]:
    """Yield the metrics whose sum an alarm compares with its threshold."""
    stats = {entry["Id"]: entry["MetricStat"] for entry in alarm.get("Metrics", []) if "MetricStat" in entry}
    expressions = [entry["Expression"] for entry in alarm.get("Metrics", []) if "Expression" in entry]
    assert expressions in ([], [" + ".join(f"FILL({name}, 0)" for name in stats)])
    for stat in stats.values() or [{"Metric": alarm, "Stat": alarm["Statistic"]}]:
        metric = stat["Metric"]
        dimensions = tuple((dimension["Name"], dimension["Value"]) for dimension in metric["Dimensions"])
        assert stat["Stat"] == "Sum"
        yield metric["Namespace"], metric["MetricName"], dimensions


def ringing(lines: Lines) -> set[str]:
    """The alarms that ring when these lines are written within one period."""
    found = sums(lines)
    totals = {name: sum(found.get(key, 0) for key in watched(alarm)) for name, alarm in ALARMS.items()}
    return {name for name, total in totals.items() if total >= ALARMS[name]["Threshold"]}


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_problem_counts_in_its_metric_and_rings_its_alarm(lines_of: Callable[..., Lines], kind: str):
    metric, alarm = COUNTED.get(kind, (None, None))
    lines = lines_of(respond, lambda: fail(kind), times=THRESHOLDS.get(alarm or "", 9))
    counted = {key: value for key, value in sums(lines).items() if len(key[2]) == 1}
    assert counted == (of_stage(**{metric: len(lines)}) if metric else {})
    assert ringing(lines) == ({alarm} if alarm else set())
    assert ringing(lines[1:]) == set()


def test_a_decline_is_counted_by_its_reason_too(lines_of: Callable[..., Lines]):
    lines = lines_of(respond, lambda: fail("card_error", code="card_declined", decline_code="lost_card"))
    lines += lines_of(respond, lambda: fail("card_error", code="expired_card", decline_code=None))
    by_reason = {dict(key[2]).get("reason"): value for key, value in sums(lines).items()}
    assert by_reason == {None: 2, "lost_card": 1, "expired_card": 1}


def test_purchases_texts_reads_and_bugs_are_counted(lines_of: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch):
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
        lines = lines_of(notifier.text_admin, message)
        assert (sums(lines), ringing(lines)) == (of_stage(**{metric: 1}), {"NotifyFailures"})
    crashes = ("AWS/Lambda", "Errors", (("FunctionName", "notes-billing-dev-notify"),))
    assert crashes in watched(ALARMS["NotifyFailures"])


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_sent_to_the_alarms_topic_and_is_quiet_without_data(name: str):
    alarm = ALARMS[name]
    assert alarm["Threshold"] == THRESHOLDS[name]
    assert alarm["AlarmActions"] == alarm["OKActions"] == ["Alarms"]
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, "notBreaching")


def test_the_dashboard_shows_every_alarm_and_only_metrics_that_are_counted():
    dashboard = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"])
    alarms, *graphs = [widget["properties"] for widget in dashboard["widgets"]]
    assert alarms["alarms"] == [f"${{{name}.Arn}}" for name in ALARMS]
    shown = {tuple(metric[:4]) for graph in graphs for metric in graph["metrics"] if metric[0] == "notes-billing"}
    counted = {metric for metric, _ in COUNTED.values()} | {"Purchases", "NotifyFailures", "KeyReads", "KeyRereads"}
    assert shown == {("notes-billing", name, "stage", "dev") for name in counted}
