"""infrastructure/notes-billing.yaml: which metric makes which alarm ring, and who receives it."""

import json
import re
from functools import cache
from typing import Any

import pytest

from tests import PROJECT
from tests.support.cloudformation_template import Resource, read_resources

TEXT = (PROJECT / "infrastructure" / "notes-billing.yaml").read_text()
OWN, LAMBDA = ("notes-billing", "stage", "prod"), ("AWS/Lambda", "FunctionName", "notes-billing-prod-notify")
# Alarms, each with a metric (namespace, dimension and its value) and the count that makes it ring.
RINGS = [
    ("payment-errors", OWN, "ProviderErrors", 3),
    ("payment-errors", OWN, "InternalErrors", 3),
    ("key-unavailable", OWN, "KeyUnavailable", 1),
    ("webhook-failures", OWN, "WebhookFailures", 3),
    ("webhook-failures", OWN, "WebhookRefusals", 3),
    ("notify-failures", OWN, "NotifyFailures", 1),
    ("notify-failures", OWN, "NotifyUnreadable", 1),
    ("notify-failures", LAMBDA, "Errors", 1),
]


@cache
def described(**parameters: str) -> dict[str, Resource]:
    return read_resources(TEXT, {"Stage": "prod", **parameters}, "1", "us-east-1")


def alarms() -> dict[str, Any]:
    """Return the alarms' properties by name."""
    return {
        about["AlarmName"].removeprefix("notes-billing-prod-"): about
        for kind, about in described().values()
        if kind == "AWS::CloudWatch::Alarm"
    }


def is_ringing(alarm: dict[str, Any], counted: tuple[tuple[str, str, str], str], count: int) -> bool:
    """Evaluate an alarm when one metric has a count, and all others are missing."""

    def value(metric: dict[str, Any]) -> int:
        (dimension,) = metric["Dimensions"]
        place = metric["Namespace"], dimension["Name"], dimension["Value"]
        return count if (place, metric["MetricName"]) == counted else 0

    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert (alarm["TreatMissingData"], alarm["EvaluationPeriods"]) == ("notBreaching", 1)
    if "MetricName" in alarm:
        assert alarm["Statistic"] == "Sum"
        return value(alarm) >= alarm["Threshold"]
    (expression,) = [query["Expression"] for query in alarm["Metrics"] if "Expression" in query]
    queries = {query["Id"]: query["MetricStat"] for query in alarm["Metrics"] if "MetricStat" in query}
    terms = [re.fullmatch(r"FILL\((\w+), 0\)", term) for term in expression.split(" + ")]
    assert all(query["Stat"] == "Sum" for query in queries.values())
    return sum(value(queries[term[1]]["Metric"]) for term in terms if term) >= alarm["Threshold"]


@pytest.mark.parametrize(("name", "place", "metric", "count"), RINGS)
def test_a_metric_makes_its_alarm_ring(name: str, place: tuple[str, str, str], metric: str, count: int):
    assert is_ringing(alarms()[name], (place, metric), count)
    assert not is_ringing(alarms()[name], (place, metric), count - 1)


def test_no_other_alarm_exists_and_all_tell_the_alarms_topic():
    assert {*alarms()} == {name for name, *_ in RINGS}
    for alarm in alarms().values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == ["arn:aws:sns:us-east-1:1:BillingAlarms-prod"]


def test_the_address_of_the_alarms_is_optional():
    assert "AlarmsByEmail" not in described()
    assert described(AlarmEmail="ops@example.com")["AlarmsByEmail"][1] == {
        "TopicArn": "arn:aws:sns:us-east-1:1:BillingAlarms-prod", "Protocol": "email", "Endpoint": "ops@example.com",
    }  # fmt: skip


def test_only_the_topic_of_purchases_is_encrypted_since_cloudwatch_cannot_publish_to_an_encrypted_one():
    topics = [about for kind, about in described().values() if kind == "AWS::SNS::Topic"]
    assert {topic["TopicName"]: topic.get("KmsMasterKeyId") for topic in topics} == {
        "NotePurchased-prod": "alias/aws/sns",
        "BillingAlarms-prod": None,
    }


def test_the_dashboard_shows_every_alarm_and_every_metric_of_an_alarm():
    widgets = json.loads(described()["Dashboard"][1]["DashboardBody"])["widgets"]
    shown = [arn for widget in widgets for arn in widget["properties"].get("alarms", [])]
    assert shown == [f"arn:aws:cloudwatch:us-east-1:1:alarm:notes-billing-prod-{name}" for name in alarms()]
    metrics = {metric[1] for widget in widgets for metric in widget["properties"].get("metrics", [])}
    assert {metric for _, place, metric, _ in RINGS if place == OWN} - metrics == {"NotifyUnreadable"}
