"""`stagectl resources`: topic, alarms and dashboard, made and deleted by CloudFormation."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.operator_session import Operator
from tests.support.stack import PROJECT, TEST_PARAMETER
from tests.support.terminal import Terminal

TEMPLATE = (PROJECT / "infrastructure" / "notes-billing.yaml").read_text()


@pytest.fixture
def in_the_background(operator: Operator) -> Iterator[Operator]:
    """Stacks that change while the command looks on."""
    operator.cloud.stacks.pace = 0.1
    yield operator
    operator.cloud.stacks.pace = 0
    operator.cloud.stacks.wait()


def up(operator, *more, stage="dev"):
    return operator.does("resources", "up", "--stage", stage, *more)


def topics(operator):
    return {topic["TopicArn"].rpartition(":")[2] for topic in operator.dev.client("sns").list_topics()["Topics"]}


def stack(operator):
    found = operator.dev.client("cloudformation").describe_stacks()["Stacks"]
    return [(each["StackName"], each["StackStatus"]) for each in found]


def alarm_mail(operator):
    subscriptions = operator.dev.client("sns").list_subscriptions()["Subscriptions"]
    return [each["Endpoint"] for each in subscriptions if each["Protocol"] == "email"]


def test_up_tells_of_each_resource_and_again_changes_nothing(in_the_background: Operator):
    operator = in_the_background
    done = operator.run("resources", "up", "--stage", "dev")
    assert done.stdout == "✓ The stack notes-billing-dev is up to date.\n"
    for resource in ("NotePurchased", "Alarms", "KeyUnavailable", "NotifyFailures", "Dashboard"):
        assert f"  {resource}: CREATE_COMPLETE" in done.stderr.splitlines()
    again = operator.run("resources", "up", "--stage", "dev")
    assert "is up to date; nothing was changed." in again.stdout
    assert "COMPLETE" not in again.stderr
    assert topics(operator) == {"NotePurchased-dev", "BillingAlarms-dev"}
    sns = operator.dev.client("sns")
    arn = f"arn:aws:sns:us-east-1:{operator.dev.id}:NotePurchased-dev"
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["KmsMasterKeyId"] == "alias/aws/sns"


def test_a_topic_that_exists_already_is_named_and_nothing_is_left_and_repeating_makes_it(in_the_background: Operator):
    operator = in_the_background
    arn = operator.dev.client("sns").create_topic(Name="NotePurchased-dev")["TopicArn"]
    said = operator.fails("resources", "up", "--stage", "dev")
    assert "The stack notes-billing-dev was not made: NotePurchased:" in said
    assert "already exists." in said
    assert "If a topic or alarm of that name exists already, delete it." in said
    assert topics(operator) == {"NotePurchased-dev"}
    operator.dev.client("sns").delete_topic(TopicArn=arn)
    done = operator.run("resources", "up", "--stage", "dev")
    assert "deleting the remains of a failed attempt (ROLLBACK_COMPLETE)" in done.stderr
    assert stack(operator) == [("notes-billing-dev", "CREATE_COMPLETE")]


def test_an_update_that_fails_says_its_own_reason_and_not_an_older_ones(operator: Operator):
    cloudformation = operator.dev.client("cloudwatch")
    cloudformation.put_dashboard(DashboardName="notes-billing-dev", DashboardBody='{"widgets": []}')
    assert "Dashboard: " in operator.fails("resources", "up", "--stage", "dev")
    cloudformation.delete_dashboards(DashboardNames=["notes-billing-dev"])
    up(operator)
    template = operator.folder / "infrastructure" / "notes-billing.yaml"
    whole = template.read_text()
    for name in ("First", "Second"):
        topic = f"  {name}:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: {name}-dev\n\n"
        operator.dev.client("sns").create_topic(Name=f"{name}-dev")
        template.write_text(whole.replace("Resources:\n", "Resources:\n" + topic))
        said = operator.fails("resources", "up", "--stage", "dev")
        assert f"The stack notes-billing-dev was not made: {name}: " in said, said
    template.write_text(whole)
    up(operator)


def test_whoever_is_told_of_alarms_stays_until_somebody_else_is_named(operator: Operator):
    said = up(operator, "--alarm-email", "ops@example.com")
    assert "AWS sends a mail to ops@example.com, whose link confirms the address." in said
    up(operator)
    assert alarm_mail(operator) == ["ops@example.com"]
    assert "sends a mail" not in up(operator, "--alarm-email", "ops@example.com")
    up(operator, "--alarm-email", "night@example.com")
    assert alarm_mail(operator) == ["night@example.com"]


def test_down_asks_and_no_means_nothing_is_deleted(operator: Operator):
    up(operator)
    with Terminal(operator, "resources", "down", "--stage", "dev") as terminal:
        terminal.wait_for(f"Delete the stack notes-billing-dev in account {operator.dev.id}?")
        terminal.types("n\n")
        assert terminal.ends() == 1
    assert "Nothing was deleted." in terminal.shown
    assert "Interrupted" not in terminal.shown
    assert topics(operator) == {"NotePurchased-dev", "BillingAlarms-dev"}
    with Terminal(operator, "resources", "down", "--stage", "dev") as terminal:
        terminal.wait_for("Delete the stack")
        terminal.types("y\n")
        assert terminal.ends() == 0
    assert topics(operator) == set()


def test_down_in_a_pipe_wants_to_be_told_yes(operator: Operator):
    up(operator)
    said = operator.fails("resources", "down", "--stage", "dev", stdin="y\n")
    assert "Nothing was deleted: there is no terminal to confirm it." in said
    assert "--yes" in said
    assert topics(operator)


def test_down_deletes_the_stack_and_never_a_secret(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    up(operator)
    said = operator.does("resources", "down", "--stage", "dev", "--yes")
    assert "The stack notes-billing-dev is deleted." in said
    assert "secrets were not changed" in said
    assert stack(operator) == []
    assert topics(operator) == set()
    ssm = operator.dev.client("ssm")
    assert ssm.get_parameter(Name=TEST_PARAMETER, WithDecryption=True)["Parameter"]["Value"] == operator.test_key
    assert "There is no stack notes-billing-dev." in operator.does("resources", "down", "--stage", "dev", "--yes")


def test_a_branch_uses_devs_resources_and_cannot_delete_them(operator: Operator):
    operator.does("stages", "add", "featureX")
    assert "The stack notes-billing-dev is up to date." in up(operator, stage="featureX")
    said = operator.fails("resources", "down", "--stage", "featureX", "--yes")
    assert "featureX uses the resources of dev" in said
    assert "stagectl resources down --stage dev" in said
    assert topics(operator)


def test_every_metric_of_the_template_is_counted_by_the_code():
    named = set(re.findall(r"Namespace: notes-billing\s+MetricName: (\w+)", TEMPLATE))
    named |= set(re.findall(r'\["notes-billing", "(\w+)"', TEMPLATE))
    code = "".join(name.read_text() for name in [PROJECT / "app.py", *(PROJECT / "chalicelib").rglob("*.py")])
    assert {"ProviderErrors", "KeyUnavailable", "WebhookFailures", "NotifyFailures"} <= named
    assert [name for name in sorted(named) if f'"{name}"' not in code] == []


def test_every_alarm_watches_its_own_stage_and_tells_the_alarms_topic(operator: Operator):
    up(operator)
    cloudwatch = operator.dev.client("cloudwatch")
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in alarms} == {
        f"notes-billing-dev-{about}"
        for about in ("payment-errors", "key-unavailable", "webhook-failures", "notify-failures")
    }
    for alarm in alarms:
        assert alarm["AlarmActions"] == [f"arn:aws:sns:us-east-1:{operator.dev.id}:BillingAlarms-dev"]
        watched = [alarm, *(query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query)]
        for metric in watched:
            own = {"stage": "dev", "FunctionName": "notes-billing-dev-notify"}
            assert {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}.items() <= own.items()
    json.loads(cloudwatch.get_dashboard(DashboardName="notes-billing-dev")["DashboardBody"])


@pytest.mark.parametrize("address", ["ops", "ops@example", "@example.com", "ops example@example.com"])
def test_what_is_no_address_gets_no_alarms_and_nothing_is_called(operator: Operator, address: str):
    operator.stack.aws.calls.clear()
    done = operator.run("resources", "up", "--stage", "dev", "--alarm-email", address)
    assert done.returncode == 2
    assert f"{address!r} is not an e-mail address, such as ops@example.com." in done.stderr
    assert operator.stack.aws.calls == []
