"""A secret: when it is read, when it is read again, which value it keeps, and that nothing shows it. No real time."""

import contextlib
import copy
import json
import pickle
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from chalicelib.aws.client import RejectedError, ThrottledError, TransientError
from chalicelib.aws.secret import Secret, SecretError, SecretInvalidError, SecretUnavailableError, SecretValue
from chalicelib.aws.secret_read import SecretRead
from chalicelib.aws.ssm import CALL_TIMEOUT, Parameter
from tests.support.fake_parameter_store import CANARY, FakeStore, wait_for

SERVER_ERROR = TransientError("InternalServerError (500)")
THROTTLED = ThrottledError("ThrottlingException (400)")
DENIED = RejectedError("AccessDeniedException (400): no")


@pytest.fixture
def store() -> FakeStore:
    return FakeStore("one")


@pytest.fixture
def secret(store: FakeStore) -> Secret:
    return Secret("/name", validate={CANARY: "is invalid"}.get, fetch=store.get, clock=store.clock, sleep=store.sleep)


@pytest.fixture
def read(store: FakeStore) -> SecretRead:
    """One read, not started yet."""
    no_rule = {}.get
    return SecretRead("/name", store.get, no_rule, timeout=3.0, until=18.0, clock=store.clock, sleep=store.sleep)


def test_a_read_that_was_started_is_joined_and_waited_for(secret: Secret, store: FakeStore):
    secret.wait()  # nothing was started
    assert store.calls == 0
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


@pytest.mark.parametrize(("value", "errors"), [("one", [DENIED]), (CANARY, [])], ids=["denied", "invalid"])
def test_an_error_during_init_is_logged_and_not_cached(
    secret: Secret, store: FakeStore, caplog: pytest.LogCaptureFixture, value, errors
):
    store.put(value)
    store.errors += errors
    secret.start()
    secret.wait()
    assert "the read during init failed: /name" in caplog.text
    store.put("two")
    assert secret.get().reveal() == "two"
    assert store.calls == 2


def test_a_value_is_read_once_and_again_once_per_30_seconds_if_it_is_rejected(secret: Secret, store: FakeStore):
    assert secret.version is None
    first = secret.get()
    assert (secret.get(), secret.version, store.calls) == (first, 1, 1)
    assert [secret.refresh(first) == first for _ in range(3)] == [True] * 3
    assert store.calls == 2
    store.now = 29.9
    store.put("two")
    assert secret.refresh(first) == first
    store.now = 30.0
    second = secret.refresh(first)
    assert (second.reveal(), secret.version, store.calls) == ("two", 2, 3)
    assert secret.refresh(first) == second  # another caller's rejection of the same value: nothing is read
    assert store.calls == 3


def test_a_value_read_after_the_request_began_is_not_read_again(secret: Secret, store: FakeStore):
    first = secret.get()
    # The interval begins with that read.
    for now, calls in ((0.0, 1), (29.0, 1), (30.0, 2)):
        store.now = now
        assert secret.refresh(first, requested_at=now) == first
        assert store.calls == calls


def test_a_refresh_within_the_interval_joins_the_read_in_progress(secret: Secret, store: FakeStore):
    first = secret.get()
    store.put("two")
    store.open.clear()
    with ThreadPoolExecutor(2) as pool:
        refreshed = [pool.submit(secret.refresh, first) for _ in range(2)]
        store.open.set()
        assert [value.result().reveal() for value in refreshed] == ["two"] * 2
    assert store.calls == 2


def test_a_failed_refresh_keeps_the_value(secret: Secret, store: FakeStore):
    first = secret.get()
    store.errors += [DENIED]
    with pytest.raises(SecretUnavailableError):
        secret.refresh(first)
    assert (secret.get(), secret.version, store.calls) == (first, 1, 2)


def test_an_invalid_replacement_ends_the_old_value_and_a_valid_one_is_read_at_once(secret: Secret, store: FakeStore):
    first = secret.get()
    store.put(CANARY)
    for call in (lambda: secret.refresh(first), secret.get, secret.get):
        with pytest.raises(SecretInvalidError, match="/name is invalid"):
            call()
        assert secret.version is None
    assert store.calls == 4
    store.put("two")
    assert (secret.get().reveal(), secret.version) == ("two", 3)


def test_the_late_result_of_an_abandoned_read_does_not_replace_its_successors(secret: Secret, store: FakeStore):
    first = secret.get()
    frozen, store.open = store.open, threading.Event()
    before = set(threading.enumerate())
    with ThreadPoolExecutor(1) as pool:
        abandoned = pool.submit(secret.refresh, first)
        wait_for(lambda: store.calls == 2)  # it has fetched the old value, and is late to return it
        (hanging,) = (thread for thread in set(threading.enumerate()) - before if thread.name == "secret")
        late, store.open = store.open, frozen
        store.now = 40.0
        store.put("two")
        assert secret.refresh(first).reveal() == "two"
        late.set()
        abandoned.exception()
    hanging.join()
    assert (secret.get().reveal(), secret.version) == ("two", 2)


@pytest.mark.parametrize("error", [SERVER_ERROR, THROTTLED], ids=str)
def test_a_passing_error_is_retried_within_the_timeout(secret: Secret, store: FakeStore, error):
    store.errors += [error] * 3
    assert secret.get().reveal() == "one"
    assert store.calls == 4
    assert 0 < store.now < 3.0


@pytest.mark.parametrize(
    ("error", "until", "earliest", "latest"),
    [
        (SERVER_ERROR, 18.0, 0.0, 3.0 - CALL_TIMEOUT),  # only throttling is waited out until 18
        (THROTTLED, 0.0, 0.0, 3.0),
        (THROTTLED, 18.0, 15.0, 18.0),
    ],
)
def test_an_error_that_stays_is_retried_while_there_is_time_for_another_attempt(
    secret: Secret, store: FakeStore, error, until, earliest, latest
):
    store.errors += [error] * 10_000
    with pytest.raises(SecretUnavailableError, match=r"/name: (InternalServerError|ThrottlingException)"):
        secret.get(until)
    assert earliest < store.now <= latest
    assert store.calls > 1


def test_throttling_is_waited_out_until_the_latest_of_the_waiting_requests(secret: Secret, store: FakeStore):
    store.throttled_until = 10.0
    store.open.clear()
    secret.start()  # waits for nothing beyond the timeout
    with ThreadPoolExecutor(1) as pool:
        value = pool.submit(secret.get, 18.0)
        wait_for(lambda: secret._read is not None and secret._read.until == 18.0)
        store.open.set()
        assert value.result().reveal() == "one"
    assert 10.0 <= store.now <= 18.0


def test_the_backoff_continues_from_read_to_read_until_one_succeeds(secret: Secret, store: FakeStore):
    first_delays = []
    for _ in range(20):
        store.delays.clear()
        store.throttled_until = store.now + 36.0
        with pytest.raises(SecretUnavailableError):
            secret.get(store.now + 18.0)
        first_delays.append(store.delays[0])
    assert max(first_delays) > 0.5  # the first failure of all waits 0.1 s at most
    store.throttled_until = 0.0
    secret.get()
    store.errors += [THROTTLED]
    store.delays.clear()
    secret.refresh(SecretValue("one"))
    assert max(store.delays) <= 0.1  # a success ended the row


def test_throttling_does_not_extend_a_deadline_that_has_passed(read: SecretRead, store: FakeStore):
    store.now = 4.0  # the call outlasted the deadline, as in a frozen sandbox
    store.errors += [THROTTLED]
    read.run(contextlib.nullcontext, lambda _read: None)
    assert (read.deadline, store.now) == (3.0, 4.0)
    assert read.has_expired()


def test_waiting_ends_at_the_deadline_or_at_the_waiters_limit(read: SecretRead, store: FakeStore):
    store.open.clear()
    read.start(contextlib.nullcontext, lambda _read: None)
    for now in (0.0, 3.0):
        store.now = now
        assert read.has_expired() == (now == 3.0)
        with pytest.raises(SecretUnavailableError, match="did not respond in time"):
            read.result(limit=now)
    store.open.set()


def test_any_other_error_is_not_retried_and_is_named_and_each_waiter_raises_its_own(read: SecretRead, store: FakeStore):
    store.errors += [DENIED]
    read.run(contextlib.nullcontext, lambda _read: None)
    errors: list[SecretError] = []
    for _ in range(2):
        with pytest.raises(SecretUnavailableError, match=r"^/name: RejectedError: AccessDenied") as raised:
            read.result()
        errors.append(raised.value)
    assert (store.calls, store.now) == (1, 0.0)
    assert errors[0] is not errors[1]
    assert errors[0].__cause__ is errors[1].__cause__ is read.error


@pytest.mark.parametrize(
    ("parameter", "problem"),
    [
        (Parameter("String", CANARY, 1), "/name is a String, not a SecureString"),
        (Parameter("SecureString", "", 1), "/name is empty"),
        (Parameter("SecureString", CANARY, 1), "/name is invalid"),
    ],
    ids=["plain", "empty", "invalid"],
)
def test_an_invalid_parameter_is_not_retried_and_not_quoted(secret: Secret, store: FakeStore, parameter, problem):
    store.parameter = parameter
    with pytest.raises(SecretInvalidError, match=problem) as raised:
        secret.get()
    assert (store.calls, secret.version) == (1, None)
    assert CANARY not in report(raised.value)


def test_an_error_report_does_not_show_the_local_variables_of_a_read():
    def fetch(_name: str) -> Parameter:
        value = CANARY
        raise OSError(len(value))

    with pytest.raises(SecretUnavailableError, match="/name: OSError: 36") as raised:
        Secret("/name", fetch=fetch).get()
    assert CANARY not in report(raised.value)


def test_an_error_around_the_read_and_a_lack_of_threads_reach_who_waits(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
):
    @contextlib.contextmanager
    def failing(*_: object) -> Iterator[None]:
        raise RuntimeError("no more")
        yield

    with pytest.raises(SecretUnavailableError, match="/name: RuntimeError"):
        Secret("/name", fetch=store.get, around_read=failing).get()
    monkeypatch.setattr(threading.Thread, "start", lambda thread: failing().__enter__())
    with pytest.raises(SecretUnavailableError, match="/name: no more"):
        Secret("/name", fetch=store.get).get()


def test_only_reveal_shows_a_secret():
    secret = SecretValue(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", "%s %r" % (secret, secret), repr({"key": [secret]})]  # noqa: UP031
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, hash):
        with pytest.raises(TypeError) as raised:
            attempt(secret)
        shown.append(report(raised.value))
    assert CANARY not in "".join(shown)
    assert secret.reveal() == CANARY
    assert secret == SecretValue(CANARY)
    assert secret != SecretValue(CANARY + "x")
    assert secret != CANARY


def report(error: BaseException) -> str:
    """Return an error as an error reporter records it, with local variables."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
