"""The stack that the tests talk to: this process serves AWS and Stripe, and the API runs in processes of its own."""

from collections.abc import Iterator

import pytest

from tests.support import Api, Container, Stack


@pytest.fixture(scope="session")
def _running_stack() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack


@pytest.fixture
def stack(_running_stack: Stack) -> Stack:
    """AWS and Stripe, healed, with a test key in Parameter Store that Stripe accepts."""
    _running_stack.reset()
    return _running_stack


@pytest.fixture(scope="session")
def _running_api(_running_stack: Stack) -> Iterator[Api]:
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
    with Api(stack) as api:
        yield api


@pytest.fixture
def container(stack: Stack) -> Iterator[Container]:
    """A Lambda container of the stage dev, just started."""
    with Container(stack) as container:
        yield container
