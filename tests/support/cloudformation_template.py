"""The part of CloudFormation's template language that the product's template uses. Anything else is an error."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

# What a reference to a resource becomes, and to its ARN.
_REFERENCES = {
    "AWS::SNS::Topic": ("arn:aws:sns:{region}:{account}:{TopicName}", ""),
    "AWS::SNS::Subscription": ("", ""),
    "AWS::CloudWatch::Alarm": ("{AlarmName}", "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}"),
    "AWS::CloudWatch::Dashboard": ("{DashboardName}", ""),
}


class Template:
    """A template with its parameters, in an account and region."""

    def __init__(self, text: str, parameters: Mapping[str, str], account: str, region: str) -> None:
        self._template = yaml.load(text, _Loader)
        self._place = {"account": account, "region": region}
        defaults = {
            name: about["Default"] for name, about in self._template["Parameters"].items() if "Default" in about
        }
        self._values = {**defaults, **parameters, "AWS::Region": region}

    def resources(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the type and the properties of each resource whose condition holds."""
        conditions = self._template.get("Conditions", {})
        return {
            name: (resource["Type"], self._resolve(resource["Properties"]))
            for name, resource in self._template["Resources"].items()
            if "Condition" not in resource or self._resolve(conditions[resource["Condition"]])
        }

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) > 1 or not next(iter(value)).startswith(("Ref", "Fn::")):
            return {key: self._resolve(each) for key, each in value.items()}
        ((function, argument),) = value.items()
        return self._call(function, self._resolve(argument))

    def _call(self, function: str, argument: Any) -> Any:
        if function == "Ref":
            return self._reference(argument)
        if function == "Fn::Sub":
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: self._reference(found[1]), argument)
        if function == "Fn::Equals":
            return argument[0] == argument[1]
        if function == "Fn::Not":
            return not argument[0]
        raise ValueError(f"{function} is not part of this cloud")

    def _reference(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        logical_id, _, attribute = name.partition(".")
        resource = self._template["Resources"][logical_id]
        pattern = _REFERENCES[resource["Type"]][attribute == "Arn"]
        return pattern.format(**self._resolve(resource["Properties"]), **self._place)


class _Loader(yaml.SafeLoader):
    """Reads `!Sub x` as `{"Fn::Sub": "x"}`."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    sequence = isinstance(node, yaml.SequenceNode)
    argument = loader.construct_sequence(node, deep=True) if sequence else loader.construct_scalar(node)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": argument}


_Loader.add_multi_constructor("!", _function)
