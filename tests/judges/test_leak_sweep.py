"""The sweep at the end of a run: what the API showed, what commands printed, and the files that were written."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import assert_nothing_was_shown
from tests.support.stack import PROJECT, PURCHASE, Api, Stack, logs, transcript


@pytest.mark.parametrize("place", [logs, transcript], ids=["log", "transcript"])
def test_a_key_planted_in_what_a_run_shows_is_found(stack: Stack, place: list[str]):
    place.append(f"a line with {stack.key} in it")
    try:
        with pytest.raises(AssertionError):
            assert_nothing_was_shown(stack.keys)
    finally:
        place.pop()


def test_the_sweep_gets_the_responses_the_output_and_the_environment_of_an_api(stack: Stack):
    with Api(stack) as api:
        payment = api.post(PURCHASE).json()
    assert payment["id"] in transcript[-2]
    assert "AWS_ENDPOINT_URL" in transcript[-1]
    assert '"route": "/billing"' in logs[-1]


@pytest.mark.slow
def test_a_run_that_shows_a_key_fails(tmp_path: Path):
    planted = tmp_path / "test_planted.py"
    planted.write_text(
        textwrap.dedent("""
            from tests.support.stack import transcript

            def test_shows_a_key(stack):
                transcript.append(stack.key)
        """)
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", f"--rootdir={PROJECT}", str(planted)]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 1, run.stdout
    assert "1 passed, 1 error" in run.stdout
