"""The devstack's Runtime API, with AWS's own runtime client and functions that fail."""

from pathlib import Path

import pytest

from devstack.runtime_api import FunctionError, InitError, LambdaContainer, NoResponseError
from tests.support.stack import Stack


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
    with LambdaContainer(tmp_path, "slow.handler", stack.environment()) as slow:
        with pytest.raises(FunctionError, match="ZeroDivisionError"):
            slow.invoke(0)
        with pytest.raises(NoResponseError):
            slow.invoke(1, timeout=0.05)
        assert slow.invoke(0.01) == 100
