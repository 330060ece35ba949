"""Interrupting a command at any step and repeating it ends in the same state.

Between two changes that a command asks for, nothing differs: so it is killed just before, or just after, each.
"""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.support.interruptions import watching
from tests.support.operator_session import Operator
from tests.support.stack import TEST_PARAMETER

CTRL_C = {"by": signal.SIGINT, "moment": "before"}
KILLED = {"by": signal.SIGKILL, "moment": "after"}
DEPLOY = ("deploy", "--stage", "dev", "--skip", "smoke")


def interrupted(operator: Operator, *command: str, at: str | int, stdin: str = "", **how: Any) -> None:
    """Run a command that is killed."""
    with watching(operator, at=at, **how) as watched:
        code = watched.run(*command, stdin=stdin)
    assert code == (130 if how["by"] == signal.SIGINT else -signal.SIGKILL)


def values(operator: Operator, name: str = TEST_PARAMETER) -> list[str]:
    """A parameter's values, oldest first."""
    history = operator.dev.client("ssm").get_parameter_history(Name=name, WithDecryption=True)
    return [entry["Value"] for entry in history["Parameters"]]


def endpoints(operator: Operator) -> list[Any]:
    client = stripe.StripeClient(operator.test_key, base_addresses={"api": operator.stack.stripe.url})
    found = client.v1.webhook_endpoints.list({"limit": 100}).data
    return [each for each in found if each.metadata.to_dict().get("account") == operator.dev.id]


def state(operator: Operator) -> dict[str, Any]:
    """What there is in the account and at Stripe, without the names that are chosen by chance."""
    functions, iam, sns = (operator.dev.client(name) for name in ("lambda", "iam", "sns"))
    names = sorted(found["FunctionName"] for found in functions.list_functions()["Functions"])
    return {
        "functions": names,
        "may invoke": [
            len(json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]) for name in names
        ],
        "roles": sorted(role["RoleName"] for role in iam.list_roles()["Roles"]),
        "apis": [api["name"] for api in operator.dev.client("apigateway").get_rest_apis()["items"]],
        "stacks": [
            (found["StackName"], found["StackStatus"])
            for found in operator.dev.client("cloudformation").describe_stacks()["Stacks"]
        ],
        "subscriptions": [each["Protocol"] for each in sns.list_subscriptions()["Subscriptions"]],
        "parameters": sorted(found["Name"] for found in operator.dev.client("ssm").describe_parameters()["Parameters"]),
        "endpoints": [endpoint.status for endpoint in endpoints(operator)],
        "healthy": json.loads(operator.does("doctor", "--stage", "dev", "--json"))["ok"],
    }


@pytest.fixture
def dev(operator_of_dev: Operator) -> Iterator[Operator]:
    yield operator_of_dev
    operator_of_dev.does("secrets", "put", "--stage", "dev", stdin=operator_of_dev.test_key)


@pytest.mark.parametrize("how", [CTRL_C, KILLED], ids=["before", "after"])
def test_put_is_repeated(operator: Operator, how: dict[str, Any]):
    put = ("secrets", "put", "--stage", "dev")
    interrupted(operator, *put, at="ssm:PutParameter", stdin=operator.test_key, **how)
    operator.does(*put, stdin=operator.test_key)
    assert values(operator) == [operator.test_key]
    assert state_of_pins(operator) == {"dev": {"account": operator.dev.id, "region": "us-east-1"}}


def state_of_pins(operator: Operator) -> Any:
    return json.loads((operator.folder / ".chalice" / "accounts.json").read_text())


@pytest.mark.parametrize(
    ("at", "how"),
    [
        ("ssm:PutParameter", KILLED),
        ("lambda:UpdateFunctionConfiguration", KILLED),
        ("lambda:Invoke", CTRL_C),
    ],
)
def test_a_rotation_is_repeated(dev: Operator, at: str, how: dict[str, Any]):
    rotate, old, key = ("secrets", "rotate", "--stage", "dev"), values(dev), dev.issue_key("test")
    interrupted(dev, *rotate, at=at, stdin=key, **how)
    said = dev.does(*rotate, stdin=key)
    assert values(dev) == [*old, key]
    assert f"notes-billing-dev uses version {len(old) + 1}." in said
    assert f"The old key (…{old[-1][-4:]}, version {len(old)}) is safe to revoke." in said


@pytest.mark.parametrize(("at", "how"), [("ssm:PutParameter", KILLED), ("lambda:Invoke", CTRL_C)])
def test_a_rollback_is_repeated_and_does_not_bring_the_bad_key_again(dev: Operator, at: str, how: dict[str, Any]):
    rollback, good = ("secrets", "rollback", "--stage", "dev"), values(dev)
    bad = dev.issue_key("test")
    dev.does("secrets", "put", "--stage", "dev", stdin=bad)
    interrupted(dev, *rollback, at=at, **how)
    said = dev.does(*rollback)
    assert values(dev) == [*good, bad, good[-1]]
    assert f"notes-billing-dev uses version {len(good) + 2}." in said


@pytest.mark.parametrize("how", [CTRL_C, KILLED], ids=["before", "after"])
def test_making_the_resources_is_repeated(operator: Operator, how: dict[str, Any]):
    up = ("resources", "up", "--stage", "dev", "--alarm-email", "ops@example.com")
    operator.cloud.stacks.pace = 0.05
    try:
        interrupted(operator, *up, at="cloudformation:CreateStack", **how)
        operator.does(*up)
        operator.does(*up[:4])
    finally:
        operator.cloud.stacks.pace = 0
        operator.cloud.stacks.wait()
    (stack,) = operator.dev.client("cloudformation").describe_stacks()["Stacks"]
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    (mail,) = operator.dev.client("sns").list_subscriptions()["Subscriptions"]
    assert mail["Endpoint"] == "ops@example.com"


@pytest.mark.parametrize(
    ("at", "how"),
    [("stripe:POST webhook_endpoints", KILLED), ("ssm:PutParameter", CTRL_C), ("ssm:PutParameter", KILLED)],
)
def test_making_the_webhook_is_repeated(dev: Operator, at: str, how: dict[str, Any]):
    dev.does("webhook", "down", "--stage", "dev", "--yes")
    interrupted(dev, "webhook", "up", "--stage", "dev", at=at, **how)
    dev.does("webhook", "up", "--stage", "dev")
    (endpoint,) = endpoints(dev)
    assert endpoint.status == "enabled"
    assert "nothing was changed" in dev.does("webhook", "up", "--stage", "dev")
    assert json.loads(dev.does("doctor", "--stage", "dev", "--json"))["ok"]


def test_replacing_the_webhook_is_repeated(dev: Operator):
    dev.does("secrets", "put", "--stage", "dev", "webhook-secret", stdin="whsec_0123456789abcdef")
    interrupted(dev, "webhook", "up", "--stage", "dev", at="stripe:DELETE webhook_endpoints", **CTRL_C)
    dev.does("webhook", "up", "--stage", "dev")
    assert len(endpoints(dev)) == 1


def test_a_deploy_that_is_interrupted_again_and_again_ends_as_one_that_was_not(operator: Operator, dev: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    for at, how in (
        ("cloudformation:CreateStack", KILLED),
        ("lambda:CreateFunction", KILLED),
        ("apigateway:ImportRestApi", KILLED),
        ("apigateway:CreateDeployment", CTRL_C),
        ("stripe:POST webhook_endpoints", KILLED),
    ):
        interrupted(operator, *DEPLOY, at=at, **how)
    operator.does(*DEPLOY)
    assert state(operator) == state(dev)
    assert values(operator) == [operator.test_key]
