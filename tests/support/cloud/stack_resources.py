"""CloudFormation resources that moto lacks or has in part, made by the same calls that an operator would use.

moto finds them by their base class.
"""

from collections.abc import Callable
from typing import Any

from moto.cloudwatch.models import Dashboard, cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.sns.models import Topic, sns_backends

from tests.support.cloud.replacements import Replacements

_NUMBERS = {"Threshold": float, "Period": int, "EvaluationPeriods": int, "DatapointsToAlarm": int}
_TOPIC = {"KmsMasterKeyId": "kms_master_key_id", "DisplayName": "display_name"}

# ``clients["of"]`` makes a client of a service in an account and region.
clients: dict[str, Callable[[str, str, str], Any]] = {}


class ResourceError(Exception):
    """A resource can't be created. The message is CloudFormation's reason."""


class _Resource(CloudFormationModel):
    """A resource with its physical id and its ARN, which may be the same."""

    def __init__(self, physical_resource_id: str, arn: str = "") -> None:
        self.physical_resource_id = physical_resource_id
        self._arn = arn or physical_resource_id

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self._arn

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_rest: Any
    ) -> Any:
        return cls.make(resource_name, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Any:
        made = cls.make(new_resource_name, cloudformation_json["Properties"], account_id, region_name, again=True)
        if made.physical_resource_id != original_resource.physical_resource_id:
            original_resource.delete(account_id, region_name)
        return made

    @classmethod
    def make(cls, name: str, properties: Any, account: str, region: str, again: bool = False) -> Any:
        raise NotImplementedError


class Subscription(_Resource, CloudFormationModel):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-subscription.html"""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SNS::Subscription"

    @classmethod
    def make(cls, name: str, properties: Any, account: str, region: str, again: bool = False) -> "Subscription":
        subscription = {key: properties[key] for key in ("TopicArn", "Protocol", "Endpoint")}
        sns = clients["of"](account, region, "sns")
        return cls(sns.subscribe(**subscription, ReturnSubscriptionArn=True)["SubscriptionArn"])

    def delete(self, account: str, region: str) -> None:
        clients["of"](account, region, "sns").unsubscribe(SubscriptionArn=self.physical_resource_id)


class TopicPolicy(_Resource, CloudFormationModel):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topicpolicy.html"""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SNS::TopicPolicy"

    @classmethod
    def make(cls, name: str, properties: Any, account: str, region: str, again: bool = False) -> "TopicPolicy":
        for topic in properties["Topics"]:
            sns_backends[account][region].topics[topic]._policy_json = properties["PolicyDocument"]
        return cls(name)

    def delete(self, account: str, region: str) -> None:
        """Do nothing: the topic is deleted too, or keeps its policy."""


class Alarm(_Resource, CloudFormationModel):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html"""

    @staticmethod
    def cloudformation_name_type() -> str:
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def make(cls, name: str, properties: Any, account: str, region: str, again: bool = False) -> "Alarm":
        if not again:
            _reject_existing("AWS::CloudWatch::Alarm", name, cloudwatch_backends[account][region].alarms)
        numbers = {key: make(properties[key]) for key, make in _NUMBERS.items() if key in properties}
        settings = {"ActionsEnabled": True, **properties, **numbers, "AlarmName": name}
        clients["of"](account, region, "cloudwatch").put_metric_alarm(**settings)
        return cls(name, f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}")

    def delete(self, account: str, region: str) -> None:
        clients["of"](account, region, "cloudwatch").delete_alarms(AlarmNames=[self.physical_resource_id])


def _reject_existing(kind: str, name: str, existing: Any) -> None:
    if name in existing:
        raise ResourceError(f"Resource of type '{kind}' with identifier '{name}' already exists.")


def complete(replacements: Replacements) -> None:
    """Make moto's own resources behave as CloudFormation's: rejected if they exist, and updated in place."""
    replacements.add(Topic, "create_from_cloudformation_json", classmethod(_create_topic))
    replacements.add(Topic, "update_from_cloudformation_json", classmethod(_update_topic))
    replacements.add(Topic, "has_cfn_attr", classmethod(lambda _cls, attr: attr in ("TopicName", "TopicArn")))
    replacements.wrap(Topic, "get_cfn_attribute", _with_arn)
    replacements.add(Dashboard, "physical_resource_id", property(lambda self: self.name))
    create = Dashboard.__dict__["create_from_cloudformation_json"].__func__

    def create_dashboard(
        cls: Any, resource_name: str, template: Any, account_id: str, region_name: str, **_: Any
    ) -> Any:
        dashboards = cloudwatch_backends[account_id][region_name].dashboards
        _reject_existing("AWS::CloudWatch::Dashboard", resource_name, dashboards)
        template["Properties"].setdefault("DashboardName", resource_name)
        return create(cls, resource_name, template, account_id, region_name)

    replacements.add(Dashboard, "create_from_cloudformation_json", classmethod(create_dashboard))
    replacements.add(Dashboard, "cloudformation_name_type", staticmethod(lambda: "DashboardName"))


def _create_topic(_cls: Any, resource_name: str, template: Any, account_id: str, region_name: str, **_: Any) -> Topic:
    backend = sns_backends[account_id][region_name]
    arn = f"arn:aws:sns:{region_name}:{account_id}:{resource_name}"
    _reject_existing("AWS::SNS::Topic", arn, backend.topics)
    properties = template["Properties"]
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    topic = backend.create_topic(resource_name, {k: v for k, v in properties.items() if k in _TOPIC}, tags)
    for subscription in properties.get("Subscription", []):
        backend.subscribe(topic.arn, subscription["Endpoint"], subscription["Protocol"])
    return topic


def _update_topic(
    cls: Any,
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: Any,
    account_id: str,
    region_name: str,
) -> Topic:
    if original_resource.name != new_resource_name and "TopicName" in cloudformation_json["Properties"]:
        replaced: Topic = _create_topic(cls, new_resource_name, cloudformation_json, account_id, region_name)
        original_resource.delete(account_id, region_name)
        return replaced
    for property_, attribute in _TOPIC.items():
        setattr(original_resource, attribute, cloudformation_json["Properties"].get(property_, ""))
    tags = cloudformation_json["Properties"].get("Tags", [])
    original_resource._tags = {tag["Key"]: tag["Value"] for tag in tags}
    return original_resource


def _with_arn(get: Any) -> Any:
    def attribute(self: Topic, attribute_name: str) -> str:
        return self.arn if attribute_name == "TopicArn" else get(self, attribute_name)

    return attribute
