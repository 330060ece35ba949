"""The cache of a secret: when it is read, when it is read again, and which value it keeps. No server, no real time."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from chalicelib.aws.client import RejectedError, ThrottledError
from chalicelib.aws.secret import Secret, SecretInvalidError, SecretUnavailableError, SecretValue
from tests.support.fake_parameter_store import Clock, FakeParameterStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> FakeParameterStore:
    return FakeParameterStore("one")


@pytest.fixture
def secret(store: FakeParameterStore, clock: Clock) -> Secret:
    return Secret("/name", validate=validate, fetch=store.get, clock=clock, sleep=clock.sleep)


def validate(value: str) -> str | None:
    return "is invalid" if value == "invalid" else None


def test_a_value_is_read_once_and_cached(secret: Secret, store: FakeParameterStore):
    assert secret.version is None
    assert [secret.get().reveal() for _ in range(3)] == ["one"] * 3
    assert (secret.version, store.calls) == (1, 1)


def test_a_read_that_was_started_is_joined_and_its_value_cached(secret: Secret, store: FakeParameterStore):
    store.open.clear()
    secret.start()
    with ThreadPoolExecutor(4) as pool:
        values = [pool.submit(secret.get) for _ in range(4)]
        store.open.set()
        assert [value.result().reveal() for value in values] == ["one"] * 4
    secret.wait()
    assert secret.get().reveal() == "one"
    assert store.calls == 1


def test_an_error_during_init_is_logged_and_not_cached(
    secret: Secret, store: FakeParameterStore, caplog: pytest.LogCaptureFixture
):
    store.fail = [RejectedError("AccessDeniedException (400)")]
    secret.start()
    secret.wait()
    assert "the read during init failed: /name: RejectedError: AccessDeniedException" in caplog.text
    assert secret.get().reveal() == "one"
    assert store.calls == 2


def test_wait_without_start_returns_at_once(secret: Secret, store: FakeParameterStore):
    secret.wait()
    assert store.calls == 0


def test_a_rejected_value_is_read_again_once_per_interval(secret: Secret, store: FakeParameterStore, clock: Clock):
    first = secret.get()
    assert [secret.refresh(first) == first for _ in range(3)] == [True] * 3
    assert store.calls == 2
    clock.now = 29.9
    store.put("two")
    assert secret.refresh(first) == first
    clock.now = 30.0
    second = secret.refresh(first)
    assert (second.reveal(), secret.version, store.calls) == ("two", 2, 3)
    assert secret.refresh(first) == second  # another caller's rejection of the same value: nothing is read
    assert store.calls == 3


def test_a_value_read_after_the_request_began_is_not_read_again(
    secret: Secret, store: FakeParameterStore, clock: Clock
):
    requested_at = clock.now
    first = secret.get()
    assert secret.refresh(first, requested_at) == first
    clock.now = 29.0
    assert secret.refresh(first, clock.now) == first  # the interval began with that read
    assert store.calls == 1
    clock.now = 30.0
    assert secret.refresh(first, clock.now) == first
    assert store.calls == 2


def test_a_refresh_within_the_interval_joins_the_read_in_progress(secret: Secret, store: FakeParameterStore):
    first = secret.get()
    store.put("two")
    store.open.clear()
    with ThreadPoolExecutor(2) as pool:
        refreshed = [pool.submit(secret.refresh, first) for _ in range(2)]
        store.open.set()
        assert [value.result().reveal() for value in refreshed] == ["two"] * 2
    assert store.calls == 2


def test_a_failed_refresh_keeps_the_value(secret: Secret, store: FakeParameterStore):
    first = secret.get()
    store.fail = [RejectedError("no")]
    with pytest.raises(SecretUnavailableError):
        secret.refresh(first)
    assert secret.get() == first
    assert store.calls == 2


def test_an_invalid_replacement_clears_the_value_and_a_valid_one_is_read_at_once(
    secret: Secret, store: FakeParameterStore
):
    first = secret.get()
    store.put("invalid")
    with pytest.raises(SecretInvalidError, match="/name is invalid"):
        secret.refresh(first)
    assert secret.version is None
    with pytest.raises(SecretInvalidError):
        secret.get()
    store.put("two")
    assert secret.get().reveal() == "two"


def test_the_late_result_of_an_abandoned_read_does_not_replace_its_successors(
    secret: Secret, store: FakeParameterStore, clock: Clock
):
    first = secret.get()
    frozen, store.open = store.open, threading.Event()
    before = set(threading.enumerate())
    with ThreadPoolExecutor(1) as pool:
        abandoned = pool.submit(secret.refresh, first)
        wait_for(lambda: store.calls == 2)  # it has fetched the old value, and is late to return it
        hanging = [thread for thread in set(threading.enumerate()) - before if thread.name == "secret"]
        late, store.open = store.open, frozen
        clock.now = 40.0
        store.put("two")
        assert secret.refresh(first).reveal() == "two"
        late.set()
        abandoned.exception()
    for thread in hanging:
        thread.join()
    assert len(hanging) == 1
    assert (secret.get().reveal(), secret.version) == ("two", 2)


def test_throttling_is_waited_out_until_the_latest_of_the_waiting_requests(clock: Clock):
    store = FakeParameterStore("one", throttled_until=10.0, clock=clock)
    secret = Secret("/name", fetch=store.get, clock=clock, sleep=clock.sleep)
    store.open.clear()
    secret.start()  # waits for nothing beyond the timeout
    with ThreadPoolExecutor(1) as pool:
        value = pool.submit(secret.get, 18.0)
        wait_for(lambda: secret._read is not None and secret._read.until == 18.0)
        store.open.set()
        assert value.result().reveal() == "one"
    assert 10.0 <= clock.now <= 18.0


def test_the_backoff_continues_from_read_to_read_until_one_succeeds(clock: Clock):
    delays: list[float] = []

    def sleep(seconds: float) -> None:
        delays.append(seconds)
        clock.sleep(seconds)

    store = FakeParameterStore("one", throttled_until=100.0, clock=clock)
    secret = Secret("/name", fetch=store.get, clock=clock, sleep=sleep)
    with pytest.raises(SecretUnavailableError):
        secret.get(18.0)
    first_delays = []
    for _ in range(20):
        delays.clear()
        with pytest.raises(SecretUnavailableError):
            secret.get(clock.now + 18.0)
        first_delays.append(delays[0])
        store.throttled_until += 18.0
    assert max(first_delays) > 0.5  # the first failure of all waits 0.1 s at most
    store.throttled_until = 0.0
    secret.get()
    store.fail = [ThrottledError("ThrottlingException (400)")]
    delays.clear()
    secret.refresh(SecretValue("one"))
    assert max(delays) <= 0.1  # a success ended the row


def test_a_read_runs_in_its_context_with_the_callers_context_variables(store: FakeParameterStore):
    request_id: ContextVar[str] = ContextVar("request_id")
    seen: list[tuple[bool, str, bool]] = []

    @contextlib.contextmanager
    def around(is_refresh: bool) -> Iterator[None]:
        seen.append((is_refresh, request_id.get(), threading.current_thread() is threading.main_thread()))
        yield

    secret = Secret("/name", fetch=store.get, around_read=around)
    request_id.set("first")
    value = secret.get()
    request_id.set("second")
    secret.refresh(value)
    assert seen == [(False, "first", False), (True, "second", False)]


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)
