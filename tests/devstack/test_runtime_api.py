"""The devstack's Runtime API, with AWS's own runtime client and the app's functions."""

import json
from pathlib import Path

import pytest

from devstack.runtime_api import FunctionError, InitError, LambdaContainer, NoResponseError
from tests.support.lambda_container import billing_event
from tests.support.stack import APP, PURCHASE, Stack


def container(stack: Stack, handler: str = "app.app", folder: Path = APP) -> LambdaContainer:
    return LambdaContainer(folder, handler, stack.environment())


def test_the_api_responds_under_awss_runtime_client(stack: Stack) -> None:
    with container(stack) as api:
        for _ in range(2):
            response = api.invoke(billing_event(PURCHASE))
            assert json.loads(response["body"])["status"] == "succeeded"
        assert stack.reads() == 1
        assert '"route":"/billing"' in api.output().replace(" ", "")


def test_notify_texts_under_awss_runtime_client_and_reads_no_secret(stack: Stack) -> None:
    message = {
        "event": "note_purchased", "event_id": "evt_1", "payment_id": "pi_1", "amount": 4200, "currency": "usd",
        "storage": 21, "stage": "dev", "created": 1_800_000_000, "description": "Scratch charge",
    }  # fmt: skip
    sns = {"Message": json.dumps(message), "MessageAttributes": {}, "Subject": None}
    connections = stack.stripe.connections
    with container(stack, "app.notify") as notify:
        assert notify.invoke({"Records": [{"EventSource": "aws:sns", "Sns": sns}]}) is None
        assert any("pi_1" in text for text in stack.texts()), notify.output()
    assert (stack.reads(), stack.stripe.connections) == (0, connections)


@pytest.mark.parametrize(
    ("source", "isolated", "reason"),
    [("raise ValueError('broken')", False, "broken"), ("import chalice", True, "No module named 'chalice'")],
    ids=["exception", "isolated from what is not deployed"],
)
def test_a_failed_import_is_reported(stack: Stack, tmp_path: Path, source: str, isolated: bool, reason: str) -> None:
    (tmp_path / "broken.py").write_text(source + "\ndef handler(event, context): pass\n")
    broken = LambdaContainer(tmp_path, "broken.handler", stack.environment(), isolated=isolated)
    with broken, pytest.raises(InitError, match=reason):
        broken.invoke({})


def test_an_exception_and_a_late_response_do_not_reach_the_next_event(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 1 / event\n"
    )
    with container(stack, "slow.handler", tmp_path) as slow:
        with pytest.raises(FunctionError, match="ZeroDivisionError"):
            slow.invoke(0)
        with pytest.raises(NoResponseError):
            slow.invoke(1, timeout=0.05)
        assert slow.invoke(0.01) == 100
