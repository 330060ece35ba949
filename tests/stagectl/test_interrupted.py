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

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseResponse, "call_action", end_after(BaseResponse.call_action, of_aws))
        patch.setattr(Api, "respond", end_after(Api.respond, of_stripe))
        process = subprocess.Popen(
            operator.command(*command),
            cwd=operator.folder,
            env=operator.dev.environment(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
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


def state(operator: Operator) -> dict[str, Any]:
    """What the doctor does not count."""
    functions, iam, sns = (operator.dev.client(name) for name in ("lambda", "iam", "sns"))
    names = sorted(found["FunctionName"] for found in functions.list_functions()["Functions"])
    policies = [json.loads(functions.get_policy(FunctionName=name)["Policy"]) for name in names]
    return {
        "may invoke": {name: len(policy["Statement"]) for name, policy in zip(names, policies, strict=True)},
        "roles": sorted(role["RoleName"] for role in iam.list_roles()["Roles"]),
        "subscriptions": [each["Protocol"] for each in sns.list_subscriptions()["Subscriptions"]],
        "problems": operator.problems(),
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


DOWN = ("webhook", "down", "--stage", "dev", "--yes")
OTHER_SECRET = ("secrets", "put", "--stage", "dev", "webhook-secret")


@pytest.mark.parametrize("before", [DOWN, OTHER_SECRET])
def test_making_or_replacing_the_webhook_is_repeated(dev: Operator, before: tuple[str, ...]):
    dev.does(*before, stdin="whsec_0123456789abcdef")
    interrupted(dev, *WEBHOOK_UP, at="ssm:PutParameter")
    dev.does(*WEBHOOK_UP)
    assert "nothing was changed" in dev.does(*WEBHOOK_UP)
    assert dev.problems() == {}  # one endpoint, enabled, whose secret is stored


def test_a_deploy_that_is_interrupted_again_and_again_ends_as_one_that_was_not(operator: Operator, dev: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    operator.cloud.stacks.pace = 0.05  # the stack still changes when the command is repeated
    for at in ("cloudformation:CreateStack", "lambda:CreateFunction", "apigateway:ImportRestApi"):
        interrupted(operator, *DEPLOY, at=at)
    interrupted(operator, *DEPLOY, at="apigateway:CreateDeployment", by=signal.SIGINT)
    interrupted(operator, *DEPLOY, at="stripe:POST webhook_endpoints")
    operator.does(*DEPLOY)
    assert state(operator) == state(dev)
    assert values(operator) == [operator.test_key]
