"""Lambda's Runtime API of the devstack, with AWS's own runtime client and the app's functions."""

import json
from pathlib import Path
from typing import Any

import pytest

from devstack.runtime_api import FunctionError, InitError, LambdaContainer, NoResponseError
from tests.support.stack import APP, PURCHASE, Stack, billing_event

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


def test_the_api_answers_under_awss_runtime_client(stack: Stack) -> None:
    with container(stack) as api:
        for _ in range(2):
            answer = api.invoke(HEALTH)
            assert answer["statusCode"] == 200
            assert json.loads(answer["body"])["status"] == "ok"
        paid = api.invoke(billing_event(PURCHASE))
        assert json.loads(paid["body"])["status"] == "succeeded"
        assert stack.reads() == 1
        assert '"route":"/billing"' in api.output().replace(" ", "")


def test_notify_texts_under_awss_runtime_client(stack: Stack) -> None:
    announced = {
        "event": "note_purchased", "event_id": "evt_1", "payment_id": "pi_1", "amount": 4200, "currency": "usd",
        "storage": 21, "stage": "dev", "created": 1_800_000_000, "description": "Scratch charge",
    }  # fmt: skip
    connections = stack.stripe.connections
    with container(stack, "app.notify") as notify:
        assert notify.invoke(sns_event(announced)) is None
        assert any("pi_1" in text for text in stack.texts()), notify.output()
    assert stack.reads() == 0
    assert stack.stripe.connections == connections


def test_an_import_that_fails_is_told(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError('no such thing')\n")
    with container(stack, "broken.handler", tmp_path) as broken, pytest.raises(InitError, match="no such thing"):
        broken.invoke({})


def test_what_a_function_raises_is_told_and_the_next_event_answered(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text("def handler(event, context):\n    return 1 / event['by']\n")
    with container(stack, "moody.handler", tmp_path) as moody:
        with pytest.raises(FunctionError, match="ZeroDivisionError"):
            moody.invoke({"by": 0})
        assert moody.invoke({"by": 2}) == 0.5


def test_a_late_answer_is_not_the_next_ones(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return event['seconds']\n"
    )
    with container(stack, "slow.handler", tmp_path) as slow:
        assert slow.invoke({"seconds": 0}) == 0
        with pytest.raises(NoResponseError):
            slow.invoke({"seconds": 1}, timeout=0.05)
        assert slow.invoke({"seconds": 0.01}) == 0.01


def test_an_isolated_container_finds_nothing_but_what_was_deployed(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "lonely.py").write_text("import chalice\ndef handler(event, context): pass\n")
    lonely = LambdaContainer(tmp_path, "lonely.handler", stack.environment(), isolated=True)
    with lonely, pytest.raises(InitError, match="No module named 'chalice'"):
        lonely.invoke({})
