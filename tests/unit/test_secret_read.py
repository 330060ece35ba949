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

SERVER_ERROR = TransientError("InternalServerError (500)")
THROTTLED = ThrottledError("ThrottlingException (400)")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FakeParameterStore:
    return FakeParameterStore("one", clock=clock)


def new_read(
    fetch: Callable[[str], Parameter], clock: Clock, problem: str | None = None, until: float = 0.0, throttled: int = 0
) -> SecretRead:
    return SecretRead(
        "/name",
        fetch,
        lambda _value: problem,
        timeout=3.0,
        until=until,
        throttled_attempts=throttled,
        clock=clock,
        sleep=clock.sleep,
    )


def run(read: SecretRead, around: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext):
    """Run a read to its end, in this thread."""
    read.run(around, lambda _read: None)
    return read


def test_a_read_returns_the_value_and_its_version(store: FakeParameterStore, clock: Clock):
    read = run(new_read(store.get, clock))
    assert (read.result().reveal(), read.version) == ("one", 1)


@pytest.mark.parametrize("error", [SERVER_ERROR, THROTTLED], ids=str)
def test_a_passing_error_is_retried_within_the_timeout(store: FakeParameterStore, clock: Clock, error):
    store.fail = [error] * 3
    assert run(new_read(store.get, clock)).result().reveal() == "one"
    assert store.calls == 4
    assert 0 < clock.now < 3.0


def test_a_transient_error_that_stays_ends_with_time_for_no_other_attempt(store: FakeParameterStore, clock: Clock):
    store.fail = [SERVER_ERROR] * 1000
    with pytest.raises(SecretUnavailableError, match=r"/name: InternalServerError \(500\)"):
        run(new_read(store.get, clock, until=18.0)).result()
    assert clock.now <= 3.0 - CALL_TIMEOUT  # only throttling is waited out until 18
    assert store.calls > 1


@pytest.mark.parametrize(("until", "earliest", "latest"), [(0.0, 0.0, 3.0), (18.0, 15.0, 18.0)])
def test_throttling_is_given_up_at_the_deadline_of_who_waits(
    store: FakeParameterStore, clock: Clock, until, earliest, latest
):
    store.throttled_until = 100.0
    read = run(new_read(store.get, clock, until=until))
    with pytest.raises(SecretUnavailableError, match="ThrottlingException"):
        read.result()
    assert earliest < clock.now <= latest
    assert read.throttled_attempts == store.calls


def test_throttling_is_waited_out_while_a_request_waits(store: FakeParameterStore, clock: Clock):
    store.throttled_until = 15.0
    read = run(new_read(store.get, clock, until=18.0))
    assert read.result().reveal() == "one"
    assert 15.0 <= clock.now <= 18.0
    assert (read.deadline, read.throttled_attempts) == (18.0, 0)


def test_throttling_does_not_extend_a_deadline_that_has_passed(clock: Clock):
    def fetch(_name: str) -> Parameter:
        clock.now = 4.0  # a call that outlasted the deadline, as in a frozen sandbox
        raise THROTTLED

    read = run(new_read(fetch, clock, until=18.0))
    assert (read.deadline, clock.now) == (3.0, 4.0)
    assert read.has_expired()


def test_the_backoff_continues_where_an_earlier_read_was_throttled(store: FakeParameterStore, clock: Clock):
    for _ in range(200):
        store.fail = [THROTTLED]
        run(new_read(store.get, clock, until=clock.now + 18.0, throttled=20))
    assert max(clock.delays) > 2.0  # a first failure waits 0.1 s at most


@pytest.mark.parametrize("error", [RejectedError("AccessDeniedException (400): no"), OSError("no such file")], ids=str)
def test_any_other_error_is_not_retried_and_is_named(store: FakeParameterStore, clock: Clock, error):
    store.fail = [error]
    with pytest.raises(SecretUnavailableError) as raised:
        run(new_read(store.get, clock)).result()
    assert str(raised.value) == f"/name: {type(error).__name__}: {error}"
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
    read = run(new_read(store.get, clock, "is too short"))
    with pytest.raises(SecretInvalidError, match=problem) as raised:
        read.result()
    assert (store.calls, read.value, read.version) == (1, None, None)
    error = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert CANARY not in "".join(error.format())


def test_an_error_of_any_kind_around_the_read_reaches_who_waits(store: FakeParameterStore, clock: Clock):
    @contextlib.contextmanager
    def failing() -> Iterator[None]:
        raise RuntimeError("the trace failed")
        yield

    with pytest.raises(SecretUnavailableError, match="/name: RuntimeError"):
        run(new_read(store.get, clock), failing).result()


def test_each_waiter_raises_an_error_of_its_own(store: FakeParameterStore, clock: Clock):
    store.fail = [RejectedError("no")]
    read = run(new_read(store.get, clock))
    errors: list[SecretError] = []
    for _ in range(2):
        with pytest.raises(SecretUnavailableError) as raised:
            read.result()
        errors.append(raised.value)
    assert errors[0] is not errors[1]
    assert errors[0].__cause__ is errors[1].__cause__ is read.error


def test_waiting_ends_at_the_deadline_or_at_the_waiters_limit(store: FakeParameterStore, clock: Clock):
    store.open.clear()
    read = new_read(store.get, clock)
    read.start(contextlib.nullcontext, lambda _read: None)
    with pytest.raises(SecretUnavailableError, match="did not respond in time"):
        read.result(limit=clock.now)
    assert not read.has_expired()
    clock.now = 3.0
    assert read.has_expired()
    with pytest.raises(SecretUnavailableError, match="did not respond in time"):
        read.result()
    store.open.set()


def test_a_process_without_threads_left_is_an_unavailable_secret(
    store: FakeParameterStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(SecretUnavailableError, match="can't start new thread"):
        new_read(store.get, clock).start(contextlib.nullcontext, lambda _read: None)
