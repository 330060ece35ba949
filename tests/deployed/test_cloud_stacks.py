"""CloudFormation in the emulated cloud: stacks change resource by resource, as on AWS."""

import copy
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Account, Cloud
from tests.support.stack import eventually

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Stage": {"Type": "String"}, "Limit": {"Type": "Number", "Default": 1}},
    "Resources": {
        "Topic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": {"Fn::Sub": "Purchases-${Stage}"}, "KmsMasterKeyId": "alias/aws/sns"},
        },
        "Mail": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "ops@notes.example.com"},
        },
        "Failures": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": "failures-${Stage}"}, "Namespace": "notes-billing", "MetricName": "Failures",
                "Dimensions": [{"Name": "stage", "Value": {"Ref": "Stage"}}], "Statistic": "Sum", "Period": 60,
                "EvaluationPeriods": 1, "Threshold": {"Fn::Sub": "${Limit}"}, "AlarmActions": [{"Ref": "Topic"}],
                "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
            },
        },
        "Board": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": {"Fn::Sub": "board-${Stage}"}, "DashboardBody": '{"widgets": []}'},
        },
    },
    "Outputs": {"TopicArn": {"Value": {"Fn::GetAtt": ["Topic", "TopicArn"]}}},
}  # fmt: skip


class Stack:
    """The stack of the template, in a separate account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.cloudformation = account.client("cloudformation")
        self.topic = f"arn:aws:sns:us-east-1:{account.id}:Purchases-prod"
        self.template = copy.deepcopy(TEMPLATE)

    def arguments(self, **parameters: str) -> dict[str, Any]:
        values = {"Stage": "prod", **parameters}
        listed = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
        return {"StackName": "resources", "TemplateBody": json.dumps(self.template), "Parameters": listed}

    def create(self) -> None:
        self.cloudformation.create_stack(**self.arguments())

    def status(self, name: str = "resources") -> str:
        return str(self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def events(self, name: str = "resources") -> list[tuple[str, str]]:
        """Return resources and statuses, oldest first."""
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def alarms(self) -> list[tuple[str, float]]:
        alarms = self.account.client("cloudwatch").describe_alarms()["MetricAlarms"]
        return [(alarm["AlarmName"], alarm["Threshold"]) for alarm in alarms]


@pytest.fixture
def stack_(cloud: Cloud) -> Stack:
    return Stack(cloud.account())


def test_a_stack_creates_its_resources_with_an_event_for_each(stack_: Stack):
    stack_.create()
    (described,) = stack_.cloudformation.describe_stacks(StackName="resources")["Stacks"]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    assert described["Outputs"] == [{"OutputKey": "TopicArn", "OutputValue": stack_.topic}]
    assert {name for name, status in stack_.events() if status == "CREATE_COMPLETE"} == {
        "resources", "Topic", "Mail", "Failures", "Board",
    }  # fmt: skip
    assert stack_.alarms() == [("failures-prod", 1.0)]
    sns = stack_.account.client("sns")
    assert sns.get_topic_attributes(TopicArn=stack_.topic)["Attributes"]["KmsMasterKeyId"] == "alias/aws/sns"
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=stack_.topic)["Subscriptions"]
    assert subscription["Endpoint"] == "ops@notes.example.com"
    assert stack_.account.client("cloudwatch").get_dashboard(DashboardName="board-prod")["DashboardBody"]


def test_an_update_changes_what_differs_and_keeps_subscriptions(stack_: Stack):
    stack_.create()
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stack_.cloudformation.update_stack(**stack_.arguments())
    stack_.template["Resources"]["Topic"]["Properties"]["KmsMasterKeyId"] = "alias/own"
    stack_.cloudformation.update_stack(**stack_.arguments())
    stack_.cloudformation.update_stack(**stack_.arguments(Limit="5"))
    assert stack_.status() == "UPDATE_COMPLETE"
    assert stack_.alarms() == [("failures-prod", 5.0)]
    sns = stack_.account.client("sns")
    assert sns.get_topic_attributes(TopicArn=stack_.topic)["Attributes"]["KmsMasterKeyId"] == "alias/own"
    assert len(sns.list_subscriptions_by_topic(TopicArn=stack_.topic)["Subscriptions"]) == 1


def test_a_slow_stack_shows_its_progress(stack_: Stack, cloud: Cloud):
    cloud.stacks.pace = 0.1
    stack_.create()
    assert stack_.status() == "CREATE_IN_PROGRESS"
    with pytest.raises(ClientError, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        stack_.cloudformation.update_stack(**stack_.arguments(Limit="5"))
    assert stack_.events()[-1][1].endswith("IN_PROGRESS")
    assert eventually(lambda: stack_.status() == "CREATE_COMPLETE", 20)


def test_a_failed_stack_is_rolled_back_and_names_the_reason(stack_: Stack):
    stack_.account.client("sns").create_topic(Name="Purchases-prod")
    stack_.create()
    assert stack_.status() == "ROLLBACK_COMPLETE"
    events = stack_.cloudformation.describe_stack_events(StackName="resources")["StackEvents"]
    (reason,) = [event["ResourceStatusReason"] for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert f"'{stack_.topic}' already exists" in reason
    assert stack_.alarms() == []
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        stack_.cloudformation.update_stack(**stack_.arguments())


def test_a_failed_update_is_rolled_back(stack_: Stack):
    stack_.create()
    stack_.account.client("cloudwatch").put_dashboard(DashboardName="second", DashboardBody='{"widgets": []}')
    stack_.template["Resources"]["Second"] = copy.deepcopy(TEMPLATE["Resources"]["Board"])
    stack_.template["Resources"]["Second"]["Properties"]["DashboardName"] = "second"
    stack_.cloudformation.update_stack(**stack_.arguments())
    assert stack_.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Second", "CREATE_FAILED") in stack_.events()


def test_a_stack_is_deleted_with_its_resources(stack_: Stack):
    stack_.create()
    stack_id = stack_.cloudformation.describe_stacks(StackName="resources")["Stacks"][0]["StackId"]
    stack_.cloudformation.delete_stack(StackName="resources")
    with pytest.raises(ClientError, match="does not exist"):
        stack_.status()
    assert stack_.status(stack_id) == "DELETE_COMPLETE"
    assert ("Topic", "DELETE_COMPLETE") in stack_.events(stack_id)
    assert stack_.alarms() == []
    assert stack_.account.client("sns").list_topics()["Topics"] == []
    assert stack_.account.client("cloudwatch").list_dashboards()["DashboardEntries"] == []
