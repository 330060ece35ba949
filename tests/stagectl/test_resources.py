"""`stagectl resources`: topic, alarms and dashboard, made and deleted by CloudFormation."""

import pytest

from tests.support.operator_session import Operator
from tests.support.stack import TEST_PARAMETER
from tests.support.terminal import run_at_terminal

UP, DOWN = ("resources", "up", "--stage", "dev"), ("resources", "down", "--stage", "dev")
TOPICS = {"NotePurchased-dev", "BillingAlarms-dev"}


def topics(operator: Operator) -> set[str]:
    return {topic["TopicArn"].rpartition(":")[2] for topic in operator.dev.client("sns").list_topics()["Topics"]}


def test_up_reports_each_resource_and_again_changes_nothing(operator: Operator):
    operator.cloud.stacks.pace = 0.1  # stacks change while the command looks on
    done = operator.run(*UP)
    assert done.stdout == "✓ The stack notes-billing-dev is up to date.\n"
    for resource in ("NotePurchased", "Alarms", "KeyUnavailable", "NotifyFailures", "Dashboard"):
        assert f"  {resource}: CREATE_COMPLETE" in done.stderr.splitlines()
    again = operator.run(*UP)
    assert "nothing was changed" in again.stdout
    assert "COMPLETE" not in again.stderr
    assert topics(operator) == TOPICS
    alarms = operator.dev.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [alarm["AlarmName"].startswith("notes-billing-dev-") for alarm in alarms] == [True] * 4


def test_a_change_that_fails_names_its_own_cause_and_can_be_repeated(operator: Operator):
    """Not the cause of an earlier change, whose events AWS keeps."""
    sns, template = operator.dev.client("sns"), operator.folder / "infrastructure" / "notes-billing.yaml"
    blocking = sns.create_topic(Name="NotePurchased-dev")["TopicArn"]
    assert "was not made: NotePurchased: " in operator.fails(*UP)
    assert topics(operator) == {"NotePurchased-dev"}
    sns.delete_topic(TopicArn=blocking)
    done = operator.run(*UP)
    assert "deleting the remains of a failed attempt (ROLLBACK_COMPLETE)" in done.stderr
    assert topics(operator) == TOPICS
    whole = template.read_text()
    for name in ("First", "Second"):
        sns.create_topic(Name=f"{name}-dev")
        topic = f"  {name}:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: {name}-dev\n\n"
        template.write_text(whole.replace("Resources:\n", "Resources:\n" + topic))
        assert f"was not made: {name}: " in operator.fails(*UP)


@pytest.mark.slow
def test_the_alarms_address_stays_until_another_is_named(operator: Operator):
    def addresses() -> list[str]:
        subscriptions = operator.dev.client("sns").list_subscriptions()["Subscriptions"]
        return [each["Endpoint"] for each in subscriptions if each["Protocol"] == "email"]

    assert "sends a mail to ops@example.com" in operator.does(*UP, "--alarm-email", "ops@example.com")
    operator.does(*UP)
    assert addresses() == ["ops@example.com"]
    assert "sends a mail" not in operator.does(*UP, "--alarm-email", "ops@example.com")
    operator.does(*UP, "--alarm-email", "night@example.com")
    assert addresses() == ["night@example.com"]
    assert operator.run(*UP, "--alarm-email", "ops@example").returncode == 2


def test_down_asks_and_deletes_everything_but_secrets(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    operator.does(*UP)
    for answer, code, left in (("n", 1, TOPICS), ("y", 0, set())):
        question = f"Delete the stack notes-billing-dev in account {operator.dev.id}?"
        shown = run_at_terminal(operator, *DOWN, answers={question: answer}, code=code)
        assert ("Nothing was deleted." in shown) == (answer == "n")
        assert topics(operator) == left
    ssm = operator.dev.client("ssm")
    assert ssm.get_parameter(Name=TEST_PARAMETER, WithDecryption=True)["Parameter"]["Value"] == operator.test_key
    assert "There is no stack" in operator.does(*DOWN, "--yes")
