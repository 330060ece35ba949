"""The fixtures of all tests: this process serves AWS and Stripe, and each API runs in a process of its own.

What a fixture needs is imported in it, so that tests without servers start at once.
"""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.cloud import Cloud
    from tests.support.cloud.deployments import Deployments
    from tests.support.fake_dev import FakeDev
    from tests.support.lambda_container import Container
    from tests.support.operator_session import Operator
    from tests.support.stack import Api, Stack


def pytest_configure() -> None:
    """Let the processes that tests start receive SIGINT and SIGHUP, even if this run ignores them.

    Under `nohup`, or in the background of a script, children would inherit that. A handler is not inherited.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that share a deployment in one worker, so that it is made once."""
    for item in items:
        if "_operator_of_dev" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("operator_of_dev"))


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDev:
    """A deployed dev that calls nothing, in a folder with a copy of `.chalice`."""
    from tests.support.fake_dev import fake_dev

    return fake_dev(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def _running_stack() -> Iterator[Stack]:
    from tests.support.stack import Stack

    with Stack() as stack:
        yield stack
        assert_nothing_was_shown(stack.keys)


def assert_nothing_was_shown(keys: Collection[str]) -> None:
    """After all tests: no key is in a response, a log, an environment or a file, and no personal data in a log."""
    from tests.support import leaks
    from tests.support.stack import PROJECT, logs, transcript

    places = {"log": logs, "response, output or environment": transcript, "file": leaks.files(PROJECT)}
    assert leaks.find_keys(places, keys) == []
    assert leaks.find_personal_data(logs) == []


@pytest.fixture
def stack(_running_stack: Stack) -> Stack:
    """AWS and Stripe without faults, with a test key in Parameter Store that Stripe accepts."""
    _running_stack.reset()
    return _running_stack


@pytest.fixture(scope="session")
def _running_api(_running_stack: Stack) -> Iterator[Api]:
    from tests.support.stack import Api

    _running_stack.reset()
    with Api(_running_stack) as api:
        yield api


@pytest.fixture
def api(stack: Stack, _running_api: Api) -> Api:
    """`chalice local --stage dev`, shared by all tests of a run: it may have read the key already."""
    return _running_api


@pytest.fixture
def fresh_api(stack: Stack) -> Iterator[Api]:
    """`chalice local --stage dev`, just started: nothing read yet."""
    from tests.support.stack import Api

    with Api(stack) as api:
        yield api


@pytest.fixture
def container(stack: Stack) -> Iterator[Container]:
    """A Lambda container of the stage dev, just started."""
    from tests.support.lambda_container import Container

    with Container(stack) as container:
        yield container


@pytest.fixture(scope="session")
def _running_cloud(_running_stack: Stack) -> Iterator[Cloud]:
    """A Stripe and an AWS for deployments, which stay and receive every payment's events."""
    from tests.support.cloud import Cloud
    from tests.support.stack import Stack

    with Stack() as own, Cloud(own) as cloud:
        yield cloud
        _running_stack.keys += own.keys


@pytest.fixture
def cloud(_running_cloud: Cloud) -> Cloud:
    """AWS accounts, in which what is deployed runs, and an internet that leads to it and to Stripe."""
    _running_cloud.reset()
    return _running_cloud


@pytest.fixture(scope="session")
def _deployments(_running_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Deployments:
    """Stages that `chalice deploy` deployed, each once in a process."""
    from tests.support.cloud.deployments import deploy

    return cache(lambda stage: deploy(_running_cloud, tmp_path_factory.mktemp("deployed") / stage, stage))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of this process. Its tests are marked with :data:`tests.support.chromium.needs_chromium`."""
    from tests.support.chromium import browser

    with browser() as launched:
        yield launched


@pytest.fixture
def operator(cloud: Cloud, tmp_path: Path) -> Operator:
    """An operator with a checkout and two empty accounts."""
    from tests.support.operator_session import Operator

    return Operator(cloud, tmp_path)


@pytest.fixture(scope="session")
def _operator_of_dev(_running_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    from tests.support.operator_session import Operator

    operator = Operator(_running_cloud, tmp_path_factory.mktemp("checkout"))
    operator.deploys("dev")
    return operator


@pytest.fixture
def operator_of_dev(cloud: Cloud, _operator_of_dev: Operator) -> Operator:
    """An operator who has deployed dev, shared by the tests of a run. A test restores what it breaks."""
    return _operator_of_dev
