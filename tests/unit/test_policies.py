"""The policies in `.chalice`: every permission of each role, and no other."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.config import Config

from tests import PROJECT
from tests.support import iam

CHALICE = PROJECT / ".chalice"
CONFIG = json.loads((CHALICE / "config.json").read_text())
ACCOUNT = "arn:aws:{}:us-east-1:123456789012:{}"
PHONE = "+14151234567"
PARAMETERS = (
    "stripeSecretKey/test", "stripeSecretKey/live", "stripeSecretKey", "other",
    "stripeWebhookSecret/dev", "stripeWebhookSecret/prod", "stripeWebhookSecret/featureX",
)  # fmt: skip
FUNCTIONS = ("dev", "dev-notify", "prod", "prod-notify", "featureX", "featureX-notify")
# Resources by service.
RESOURCES = {
    "ssm": [ACCOUNT.format("ssm", f"parameter/{name}") for name in PARAMETERS],
    "sns": [PHONE, *(ACCOUNT.format("sns", f"NotePurchased-{stage}") for stage in ("dev", "prod", "featureX"))],
    "logs": [
        ACCOUNT.format("logs", f"log-group:/aws/lambda/{name}:log-stream:x")
        for name in ("other", *(f"notes-billing-{function}" for function in FUNCTIONS))
    ],
    "xray": ["*"],
}


def policy(stage: str, function: str) -> Any:
    """Return the policy of a function's role, as Chalice chooses it. An undeclared stage has the project's."""
    config = Config(chalice_stage=stage, config_from_disk=CONFIG).scope(stage, function)
    return json.loads((CHALICE / config.iam_policy_file).read_text())


def permissions(stage: str, function: str) -> Iterator[tuple[str, str]]:
    """Return all actions that a role needs, each with its resource."""
    prod = stage == "prod"
    yield from ((f"xray:{action}", "*") for action in ("PutTraceSegments", "PutTelemetryRecords"))
    if function == "notify":
        logs = ["prod-notify"] if prod else ["dev-notify", "featureX-notify"]
        yield "sns:Publish", PHONE
    else:
        logs = ["prod"] if prod else ["dev", "dev-notify", "featureX", "featureX-notify"]
        yield "sns:Publish", ACCOUNT.format("sns", f"NotePurchased-{'prod' if prod else 'dev'}")
        own = ["stripeSecretKey/test", "stripeWebhookSecret/dev", "stripeWebhookSecret/featureX"]
        for name in ["stripeSecretKey/live", "stripeWebhookSecret/prod"] if prod else own:
            yield "ssm:GetParameter", ACCOUNT.format("ssm", f"parameter/{name}")
    for name in logs:
        for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents"):
            yield f"logs:{action}", ACCOUNT.format("logs", f"log-group:/aws/lambda/notes-billing-{name}:log-stream:x")


@pytest.mark.parametrize("stage", ["prod", "dev", "featureX"])
@pytest.mark.parametrize("function", ["api_handler", "notify"])
def test_a_role_has_exactly_these_permissions(stage: str, function: str):
    document = policy(stage, function)
    allowing = [statement for statement in document["Statement"] if statement["Effect"] == "Allow"]
    actions = {action for statement in allowing for action in iam.listed(statement["Action"])}
    granted = {
        (action, resource)
        for action in actions
        for resource in RESOURCES[action.partition(":")[0]]
        if iam.allows([document], action, resource)
    }
    assert granted == {*permissions(stage, function)}


@pytest.mark.parametrize("file", sorted(CHALICE.glob("policy-*.json")), ids=lambda file: file.stem)
def test_a_policy_allows_only_actions_that_it_names(file: Any):
    for statement in json.loads(file.read_text())["Statement"]:
        if statement["Effect"] == "Allow":
            assert statement.keys() == {"Sid", "Effect", "Action", "Resource"}
            assert not any("*" in action or "?" in action for action in iam.listed(statement["Action"]))


def test_chalice_writes_no_policy_of_its_own():
    assert CONFIG["autogen_policy"] is False
