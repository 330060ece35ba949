"""The cache of a secret: when it is read, when it is read again, and which value it keeps. No server, no real time."""

import contextlib
import copy
import json
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar

import pytest

from chalicelib.aws.client import RejectedError, ThrottledError
from chalicelib.aws.secret import Secret, SecretInvalidError, SecretUnavailableError, SecretValue
from tests.support.fake_parameter_store import CANARY, Clock, FakeParameterStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FakeParameterStore:
    return FakeParameterStore("one", clock=clock)


@pytest.fixture
def secret(store: FakeParameterStore, clock: Clock) -> Secret:
    validate = {"invalid": "is invalid"}.get
    return Secret("/name", validate=validate, fetch=store.get, clock=clock, sleep=clock.sleep)


def test_a_value_is_read_once_and_cached(secret: Secret, store: FakeParameterStore):
    assert secret.version is None
    assert [secret.get().reveal() for _ in range(3)] == ["one"] * 3
    assert (secret.version, store.calls) == (1, 1)


def test_a_read_that_was_started_is_joined_and_waited_for(secret: Secret, store: FakeParameterStore):
    store.open.clear()
    secret.start()
    with ThreadPoolExecutor(5) as pool:
        values = [pool.submit(secret.get) for _ in range(4)]
        waiting = pool.submit(secret.wait)
        assert not wait([waiting], timeout=0.05).done
        store.open.set()
        waiting.result()
        assert secret.version == 1
        assert [value.result().reveal() for value in values] == ["one"] * 4
    assert store.calls == 1


@pytest.mark.parametrize("value", ["one", "invalid"])
def test_an_error_during_init_is_logged_and_not_cached(
    secret: Secret, store: FakeParameterStore, caplog: pytest.LogCaptureFixture, value
):
    store.put(value)
    store.fail = [RejectedError("AccessDeniedException (400)")] * (value == "one")
    secret.start()
    secret.wait()
    assert "the read during init failed: /name" in caplog.text
    store.put("two")
    assert secret.get().reveal() == "two"
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
    first = secret.get()
    assert secret.refresh(first, requested_at=0.0) == first
    clock.now = 29.0
    assert secret.refresh(first, requested_at=29.0) == first  # the interval began with that read
    assert store.calls == 1
    clock.now = 30.0
    assert secret.refresh(first, requested_at=30.0) == first
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
    assert (secret.get(), secret.version, store.calls) == (first, 1, 2)


def test_an_invalid_replacement_ends_the_old_value_and_a_valid_one_is_read_at_once(
    secret: Secret, store: FakeParameterStore
):
    first = secret.get()
    store.put("invalid")
    with pytest.raises(SecretInvalidError, match="/name is invalid"):
        secret.refresh(first)
    assert secret.version is None
    for _ in range(2):
        with pytest.raises(SecretInvalidError):
            secret.get()
    assert store.calls == 4
    store.put("two")
    assert (secret.get().reveal(), secret.version) == ("two", 3)


def test_the_late_result_of_an_abandoned_read_does_not_replace_its_successors(
    secret: Secret, store: FakeParameterStore, clock: Clock
):
    first = secret.get()
    frozen, store.open = store.open, threading.Event()
    before = set(threading.enumerate())
    with ThreadPoolExecutor(1) as pool:
        abandoned = pool.submit(secret.refresh, first)
        wait_for(lambda: store.calls == 2)  # it has fetched the old value, and is late to return it
        (hanging,) = (thread for thread in set(threading.enumerate()) - before if thread.name == "secret")
        late, store.open = store.open, frozen
        clock.now = 40.0
        store.put("two")
        assert secret.refresh(first).reveal() == "two"
        late.set()
        abandoned.exception()
    hanging.join()
    assert (secret.get().reveal(), secret.version) == ("two", 2)


def test_throttling_is_waited_out_until_the_latest_of_the_waiting_requests(
    secret: Secret, store: FakeParameterStore, clock: Clock
):
    store.throttled_until = 10.0
    store.open.clear()
    secret.start()  # waits for nothing beyond the timeout
    with ThreadPoolExecutor(1) as pool:
        value = pool.submit(secret.get, 18.0)
        wait_for(lambda: secret._read is not None and secret._read.until == 18.0)
        store.open.set()
        assert value.result().reveal() == "one"
    assert 10.0 <= clock.now <= 18.0


def test_the_backoff_continues_from_read_to_read_until_one_succeeds(
    secret: Secret, store: FakeParameterStore, clock: Clock
):
    first_delays = []
    for _ in range(20):
        clock.delays.clear()
        store.throttled_until = clock.now + 36.0
        with pytest.raises(SecretUnavailableError):
            secret.get(clock.now + 18.0)
        first_delays.append(clock.delays[0])
    assert max(first_delays) > 0.5  # the first failure of all waits 0.1 s at most
    store.throttled_until = 0.0
    secret.get()
    store.fail = [ThrottledError("ThrottlingException (400)")]
    clock.delays.clear()
    secret.refresh(SecretValue("one"))
    assert max(clock.delays) <= 0.1  # a success ended the row


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


def test_only_reveal_shows_a_secret():
    secret = SecretValue(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", "%s %r" % (secret, secret), repr({"key": [secret]})]  # noqa: UP031
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, hash):
        with pytest.raises(TypeError) as raised:
            attempt(secret)
        report = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
        shown += [line for line in report.format() if "CANARY" not in line]  # the source, which names the constant
    assert CANARY not in "".join(shown)
    assert secret.reveal() == CANARY
    assert secret == SecretValue(CANARY)
    assert secret != SecretValue(CANARY + "x")
    assert secret != CANARY


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)
