"""Interrupting a command at any step and repeating it ends in the same state.

Between two changes that a command asks for, nothing differs. So a command is ended just after one, by a signal that it
can handle or by one that it cannot.
"""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import stripe
from moto.core.responses import BaseResponse

from devstack.stripe.api import Api
from tests.support.command_lines import check_output
from tests.support.operator_session import Operator
from tests.support.stack import TEST_PARAMETER, transcript

pytestmark = pytest.mark.slow

DEPLOY = ("deploy", "--stage", "dev", "--skip", "smoke")
WEBHOOK_UP = ("webhook", "up", "--stage", "dev")


def interrupted(operator: Operator, *command: str, at: str, stdin: str = "", by: signal.Signals = signal.SIGKILL):
    """Run a command, and end it just after AWS or Stripe made a change, such as ``ssm:PutParameter``."""
    is_ended = threading.Event()

    def end_after(respond: Callable[..., Any], change_of: Callable[..., str]) -> Callable[..., Any]:
        def responded(*arguments: Any) -> Any:
            response = respond(*arguments)
            if change_of(*arguments) == at and not is_ended.is_set():
                is_ended.set()
                os.killpg(process.pid, by)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
            return response

        return responded

    def of_aws(response: BaseResponse) -> str:
        is_own = response.access_key == operator.dev.key.access_key_id
        return f"{response.boto3_service_name}:{response._get_action()}" if is_own else ""

    def of_stripe(_: Api, request: Any, *__: Any) -> str:
        return f"stripe:{request.method} {request.path.split('/')[2]}"

    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseResponse, "call_action", end_after(BaseResponse.call_action, of_aws))
        patch.setattr(Api, "respond", end_after(Api.respond, of_stripe))
        process = subprocess.Popen(
            operator.command(*command),
            cwd=operator.folder,
            env=operator.dev.environment(),
            text=True,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **pipes,
        )
        said, _ = process.communicate(stdin, timeout=100)
    transcript.append(said)
    assert is_ended.is_set(), said
    assert "Traceback" not in said, said
    check_output(said)
    assert process.returncode == (130 if by == signal.SIGINT else -by)


def values(operator: Operator) -> list[str]:
    """The key's values, oldest first."""
    history = operator.dev.client("ssm").get_parameter_history(Name=TEST_PARAMETER, WithDecryption=True)
    return [entry["Value"] for entry in history["Parameters"]]


def endpoints(operator: Operator) -> list[Any]:
    client = stripe.StripeClient(operator.test_key, base_addresses={"api": operator.stack.stripe.url})
    found = client.v1.webhook_endpoints.list({"limit": 100}).data
    return [each for each in found if each.metadata.to_dict().get("account") == operator.dev.id]


def is_healthy(operator: Operator) -> bool:
    return bool(json.loads(operator.does("doctor", "--stage", "dev", "--json"))["ok"])


def state(operator: Operator) -> dict[str, Any]:
    """What there is in the account and at Stripe, without the names that are chosen by chance."""
    functions, iam, sns = (operator.dev.client(name) for name in ("lambda", "iam", "sns"))
    names = sorted(found["FunctionName"] for found in functions.list_functions()["Functions"])
    stacks = operator.dev.client("cloudformation").describe_stacks()["Stacks"]
    policies = [json.loads(functions.get_policy(FunctionName=name)["Policy"]) for name in names]
    return {
        "functions": names,
        "may invoke": [len(policy["Statement"]) for policy in policies],
        "roles": sorted(role["RoleName"] for role in iam.list_roles()["Roles"]),
        "apis": [api["name"] for api in operator.dev.client("apigateway").get_rest_apis()["items"]],
        "stacks": [(found["StackName"], found["StackStatus"]) for found in stacks],
        "subscriptions": [each["Protocol"] for each in sns.list_subscriptions()["Subscriptions"]],
        "parameters": sorted(found["Name"] for found in operator.dev.client("ssm").describe_parameters()["Parameters"]),
        "endpoints": [endpoint.status for endpoint in endpoints(operator)],
        "healthy": is_healthy(operator),
    }


@pytest.fixture
def dev(operator_of_dev: Operator) -> Iterator[Operator]:
    operator_of_dev.does("secrets", "put", "--stage", "dev", stdin=operator_of_dev.test_key)
    yield operator_of_dev
    operator_of_dev.does("secrets", "put", "--stage", "dev", stdin=operator_of_dev.test_key)


@pytest.mark.parametrize(
    ("at", "by"), [("ssm:PutParameter", signal.SIGKILL), ("lambda:UpdateFunctionConfiguration", signal.SIGINT)]
)
def test_a_rotation_is_repeated(dev: Operator, at: str, by: signal.Signals):
    rotate, old, key = ("secrets", "rotate", "--stage", "dev"), values(dev), dev.issue_key("test")
    interrupted(dev, *rotate, at=at, by=by, stdin=key)
    said = dev.does(*rotate, stdin=key)
    assert values(dev) == [*old, key]
    assert f"notes-billing-dev uses version {len(old) + 1}." in said
    assert f"(…{old[-1][-4:]}, version {len(old)}) is safe to revoke." in said


def test_a_rollback_is_repeated_and_does_not_bring_the_bad_key_again(dev: Operator):
    rollback, good, bad = ("secrets", "rollback", "--stage", "dev"), values(dev), dev.issue_key("test")
    dev.does("secrets", "put", "--stage", "dev", stdin=bad)
    interrupted(dev, *rollback, at="ssm:PutParameter")
    said = dev.does(*rollback)
    assert values(dev) == [*good, bad, good[-1]]
    assert f"notes-billing-dev uses version {len(good) + 2}." in said


def test_making_the_resources_is_repeated(operator: Operator):
    up = ("resources", "up", "--stage", "dev")
    operator.cloud.stacks.pace = 0.05
    try:
        interrupted(operator, *up, "--alarm-email", "ops@example.com", at="cloudformation:CreateStack")
        operator.does(*up)
    finally:
        operator.cloud.stacks.pace = 0
        operator.cloud.stacks.wait()
    (stack,) = operator.dev.client("cloudformation").describe_stacks()["Stacks"]
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    (mail,) = operator.dev.client("sns").list_subscriptions()["Subscriptions"]
    assert mail["Endpoint"] == "ops@example.com"


@pytest.mark.parametrize("at", ["stripe:POST webhook_endpoints", "ssm:PutParameter"])
def test_making_the_webhook_is_repeated(dev: Operator, at: str):
    dev.does("webhook", "down", "--stage", "dev", "--yes")
    interrupted(dev, *WEBHOOK_UP, at=at)
    dev.does(*WEBHOOK_UP)
    (endpoint,) = endpoints(dev)
    assert endpoint.status == "enabled"
    assert "nothing was changed" in dev.does(*WEBHOOK_UP)
    assert is_healthy(dev)


def test_replacing_the_webhook_is_repeated(dev: Operator):
    dev.does("secrets", "put", "--stage", "dev", "webhook-secret", stdin="whsec_0123456789abcdef")
    interrupted(dev, *WEBHOOK_UP, at="ssm:PutParameter", by=signal.SIGINT)
    dev.does(*WEBHOOK_UP)
    assert len(endpoints(dev)) == 1


def test_a_deploy_that_is_interrupted_again_and_again_ends_as_one_that_was_not(operator: Operator, dev: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    for at in ("cloudformation:CreateStack", "lambda:CreateFunction", "apigateway:ImportRestApi"):
        interrupted(operator, *DEPLOY, at=at)
    interrupted(operator, *DEPLOY, at="apigateway:CreateDeployment", by=signal.SIGINT)
    interrupted(operator, *DEPLOY, at="stripe:POST webhook_endpoints")
    operator.does(*DEPLOY)
    assert state(operator) == state(dev)
    assert values(operator) == [operator.test_key]
