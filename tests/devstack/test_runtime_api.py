"""The devstack's Runtime API, with AWS's own runtime client and the app's functions."""

import json
from pathlib import Path
from typing import Any

import pytest

from devstack.runtime_api import FunctionError, InitError, LambdaContainer, NoResponseError
from tests.support.lambda_container import billing_event
from tests.support.stack import APP, PURCHASE, Stack

HEALTH = {
    **billing_event({}),
    "resource": "/health",
    "path": "/health",
    "httpMethod": "GET",
    "requestContext": {"resourcePath": "/health", "httpMethod": "GET", "path": "/api/health", "identity": {}},
    "body": None,
}


def container(stack: Stack, handler: str = "app.app", folder: Path = APP) -> LambdaContainer:
    return LambdaContainer(folder, handler, stack.environment())


def sns_event(message: dict[str, Any]) -> dict[str, Any]:
    sns = {"Message": json.dumps(message), "MessageAttributes": {}, "Subject": None}
    return {"Records": [{"EventSource": "aws:sns", "Sns": sns}]}


def test_the_api_responds_under_awss_runtime_client(stack: Stack) -> None:
    with container(stack) as api:
        for _ in range(2):
            response = api.invoke(HEALTH)
            assert response["statusCode"] == 200
            assert json.loads(response["body"])["status"] == "ok"
        response = api.invoke(billing_event(PURCHASE))
        assert json.loads(response["body"])["status"] == "succeeded"
        assert stack.reads() == 1
        assert '"route":"/billing"' in api.output().replace(" ", "")


def test_notify_texts_under_awss_runtime_client(stack: Stack) -> None:
    message = {
        "event": "note_purchased", "event_id": "evt_1", "payment_id": "pi_1", "amount": 4200, "currency": "usd",
        "storage": 21, "stage": "dev", "created": 1_800_000_000, "description": "Scratch charge",
    }  # fmt: skip
    connections = stack.stripe.connections
    with container(stack, "app.notify") as notify:
        assert notify.invoke(sns_event(message)) is None
        assert any("pi_1" in text for text in stack.texts()), notify.output()
    assert stack.reads() == 0
    assert stack.stripe.connections == connections


def test_a_failed_import_is_reported(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError('no such thing')\n")
    with container(stack, "broken.handler", tmp_path) as broken, pytest.raises(InitError, match="no such thing"):
        broken.invoke({})


def test_an_exception_is_reported_and_the_next_event_succeeds(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text("def handler(event, context):\n    return 1 / event['by']\n")
    with container(stack, "failing.handler", tmp_path) as failing:
        with pytest.raises(FunctionError, match="ZeroDivisionError"):
            failing.invoke({"by": 0})
        assert failing.invoke({"by": 2}) == 0.5


def test_a_late_response_is_not_returned_for_the_next_event(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return event['seconds']\n"
    )
    with container(stack, "slow.handler", tmp_path) as slow:
        assert slow.invoke({"seconds": 0}) == 0
        with pytest.raises(NoResponseError):
            slow.invoke({"seconds": 1}, timeout=0.05)
        assert slow.invoke({"seconds": 0.01}) == 0.01


def test_an_isolated_container_imports_only_deployed_code(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "isolated_function.py").write_text("import chalice\ndef handler(event, context): pass\n")
    isolated_function = LambdaContainer(tmp_path, "isolated_function.handler", stack.environment(), isolated=True)
    with isolated_function, pytest.raises(InitError, match="No module named 'chalice'"):
        isolated_function.invoke({})
