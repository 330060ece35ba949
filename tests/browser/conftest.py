"""The devstack of these tests: a real `make run`."""

from collections.abc import Iterator

import pytest

from tests.support.make_run import Run

FRONT_END = "http://localhost:3000"  # whose developer has allowed it


@pytest.fixture(scope="session")
def run() -> Iterator[Run]:
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("CORS_ORIGIN", FRONT_END)
        run = Run()
    run.wait_until_ready()
    yield run
    run.process.terminate()
    run.process.communicate()
