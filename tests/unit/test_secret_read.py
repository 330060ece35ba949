"""One read of a secret: its attempts, its retries and its deadlines, on a clock that only the tests move."""

import contextlib
import threading
import traceback
from collections.abc import Callable, Iterator

import pytest

from chalicelib.aws.client import RejectedError, ThrottledError, TransientError
from chalicelib.aws.secret_read import SecretRead
from chalicelib.aws.secret_value import SecretError, SecretInvalidError, SecretUnavailableError
from chalicelib.aws.ssm import CALL_TIMEOUT, Parameter
from tests.support.fake_parameter_store import CANARY, Clock, FakeParameterStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


def read_from(
    store: FakeParameterStore,
    clock: Clock,
    validate: Callable[[str], str | None] = lambda _value: None,
    *,
    until: float = 0.0,
    throttled_attempts: int = 0,
) -> SecretRead:
    """Run a read to its end, in this thread."""
    read = SecretRead(
        "/name",
        store.get,
        validate,
        timeout=3.0,
        until=until,
        throttled_attempts=throttled_attempts,
        clock=clock,
        sleep=clock.sleep,
    )
    read.run(contextlib.nullcontext, lambda _read: None)
    return read


def test_a_read_returns_the_value_and_its_version(clock: Clock):
    read = read_from(FakeParameterStore("one"), clock)
    assert read.result().reveal() == "one"
    assert read.version == 1


def test_a_transient_error_is_retried_within_the_timeout(clock: Clock):
    store = FakeParameterStore("one", fail=[TransientError("InternalServerError (500)")] * 3)
    assert read_from(store, clock).result().reveal() == "one"
    assert store.calls == 4
    assert 0 < clock.now < 3.0


def test_a_transient_error_that_stays_ends_with_time_for_no_other_attempt(clock: Clock):
    store = FakeParameterStore("one", fail=[TransientError("InternalServerError (500)")] * 1000)
    with pytest.raises(SecretUnavailableError, match=r"/name: InternalServerError \(500\)"):
        read_from(store, clock, until=18.0).result()
    assert clock.now <= 3.0 - CALL_TIMEOUT  # only throttling is waited out until 18
    assert store.calls > 1


def test_throttling_without_a_waiting_request_ends_within_the_timeout(clock: Clock):
    store = FakeParameterStore("one", fail=[ThrottledError("ThrottlingException (400)")] * 1000)
    read = read_from(store, clock)
    with pytest.raises(SecretUnavailableError, match="ThrottlingException"):
        read.result()
    assert clock.now <= 3.0
    assert read.throttled_attempts == store.calls


def test_throttling_is_waited_out_while_a_request_waits(clock: Clock):
    store = FakeParameterStore("one", throttled_until=15.0, clock=clock)
    read = read_from(store, clock, until=18.0)
    assert read.result().reveal() == "one"
    assert 15.0 <= clock.now <= 18.0
    assert read.deadline == 18.0
    assert read.throttled_attempts == 0


def test_throttling_is_given_up_at_the_requests_deadline(clock: Clock):
    store = FakeParameterStore("one", throttled_until=100.0, clock=clock)
    with pytest.raises(SecretUnavailableError):
        read_from(store, clock, until=18.0).result()
    assert 15.0 < clock.now <= 18.0


def test_throttling_does_not_extend_a_deadline_that_has_passed(clock: Clock):
    def fetch(_name: str) -> Parameter:
        clock.now = 4.0  # a call that outlasted the deadline, as in a frozen sandbox
        raise ThrottledError("ThrottlingException (400)")

    read = SecretRead("/name", fetch, lambda _value: None, timeout=3.0, until=18.0, clock=clock, sleep=clock.sleep)
    read.run(contextlib.nullcontext, lambda _read: None)
    assert read.deadline == 3.0
    assert read.has_expired()
    assert clock.now == 4.0


def test_the_backoff_continues_where_an_earlier_read_was_throttled(clock: Clock):
    store = FakeParameterStore("one", fail=[ThrottledError("ThrottlingException (400)")])
    delays = []
    for _ in range(200):
        started = clock.now
        store.fail = [ThrottledError("ThrottlingException (400)")]
        read_from(store, clock, until=clock.now + 18.0, throttled_attempts=20)
        delays.append(clock.now - started)
    assert max(delays) > 2.0  # a first failure waits 0.1 s at most


@pytest.mark.parametrize("error", [RejectedError("AccessDeniedException (400): no"), OSError("no such file")], ids=str)
def test_any_other_error_is_not_retried_and_is_named(clock: Clock, error):
    store = FakeParameterStore("one", fail=[error])
    with pytest.raises(SecretUnavailableError, match=f"/name: {type(error).__name__}: ") as raised:
        read_from(store, clock).result()
    assert str(error) in str(raised.value)
    assert (store.calls, clock.now) == (1, 0.0)


@pytest.mark.parametrize(
    ("parameter", "problem"),
    [
        (Parameter("String", CANARY, 1), "/name is a String, not a SecureString"),
        (Parameter("SecureString", "", 1), "/name is empty"),
        (Parameter("SecureString", CANARY, 1), "/name is too short"),
    ],
    ids=["plain", "empty", "invalid"],
)
def test_an_invalid_parameter_is_not_retried_and_not_quoted(clock: Clock, parameter, problem):
    store = FakeParameterStore(parameter)
    read = read_from(store, clock, lambda _value: "is too short")
    with pytest.raises(SecretInvalidError, match=problem) as raised:
        read.result()
    assert store.calls == 1
    assert read.value is None
    assert read.version is None
    error = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert CANARY not in "".join(error.format())


def test_an_error_of_any_kind_around_the_read_reaches_who_waits(clock: Clock):
    @contextlib.contextmanager
    def failing() -> Iterator[None]:
        raise RuntimeError("the trace failed")
        yield

    read = SecretRead("/name", FakeParameterStore("one").get, lambda _value: None, timeout=3.0, clock=clock)
    read.run(failing, lambda _read: None)
    with pytest.raises(SecretUnavailableError, match="/name: RuntimeError"):
        read.result()


def test_each_waiter_raises_an_error_of_its_own(clock: Clock):
    read = read_from(FakeParameterStore("one", fail=[RejectedError("no")]), clock)
    errors: list[SecretError] = []
    for _ in range(2):
        with pytest.raises(SecretUnavailableError) as raised:
            read.result()
        errors.append(raised.value)
    assert errors[0] is not errors[1]
    assert errors[0].__cause__ is errors[1].__cause__ is read.error


def test_waiting_ends_at_the_deadline_or_at_the_waiters_limit(clock: Clock):
    blocked = threading.Event()

    def fetch(_name: str) -> Parameter:
        blocked.wait(10)
        return Parameter("SecureString", "late", 1)

    read = SecretRead("/name", fetch, lambda _value: None, timeout=3.0, clock=clock)
    read.start(contextlib.nullcontext, lambda _read: None)
    with pytest.raises(SecretUnavailableError, match="did not respond in time"):
        read.result(limit=clock.now)
    assert not read.has_expired()
    clock.now = 3.0
    assert read.has_expired()
    with pytest.raises(SecretUnavailableError, match="did not respond in time"):
        read.result()
    blocked.set()


def test_a_process_without_threads_left_is_an_unavailable_secret(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    read = SecretRead("/name", FakeParameterStore("one").get, lambda _value: None, timeout=3.0, clock=clock)
    with pytest.raises(SecretUnavailableError, match="can't start new thread"):
        read.start(contextlib.nullcontext, lambda _read: None)
