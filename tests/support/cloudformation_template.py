"""The part of CloudFormation's template language that the product's template uses. Anything else is an error."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

# What a reference to a resource becomes, by its type and the attribute.
_REFERENCES = {
    ("AWS::SNS::Topic", ""): "arn:aws:sns:{region}:{account}:{TopicName}",
    ("AWS::CloudWatch::Alarm", "Arn"): "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",
}


class Resource(NamedTuple):
    kind: str
    properties: dict[str, Any]


def read_resources(text: str, parameters: Mapping[str, str], account: str, region: str) -> dict[str, Resource]:
    """Return the resources whose condition holds, by logical id, in an account and region."""
    template = yaml.load(text, _Loader)
    defaults = {name: about["Default"] for name, about in template["Parameters"].items() if "Default" in about}
    values = {**defaults, **parameters, "AWS::Region": region}

    def reference(name: str) -> str:
        if name in values:
            return values[name]
        logical_id, _, attribute = name.partition(".")
        resource = template["Resources"][logical_id]
        pattern = _REFERENCES[resource["Type"], attribute]
        return pattern.format(**resolve(resource["Properties"]), account=account, region=region)

    functions = {
        "Ref": reference,
        "Fn::Sub": lambda text: re.sub(r"\$\{([\w:.]+)\}", lambda found: reference(found[1]), text),
        "Fn::Equals": lambda pair: pair[0] == pair[1],
        "Fn::Not": lambda condition: not condition[0],
    }

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (name := next(iter(value))).startswith(("Ref", "Fn::")):
            return functions[name](resolve(value[name]))
        return {key: resolve(each) for key, each in value.items()}

    return {
        name: Resource(resource["Type"], resolve(resource["Properties"]))
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or resolve(template["Conditions"][resource["Condition"]])
    }


class _Loader(yaml.SafeLoader):
    """Reads `!Sub x` as `{"Fn::Sub": "x"}`."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    sequence = isinstance(node, yaml.SequenceNode)
    argument = loader.construct_sequence(node, deep=True) if sequence else loader.construct_scalar(node)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": argument}


_Loader.add_multi_constructor("!", _function)
