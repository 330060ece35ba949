"""One SecureString of AWS Systems Manager Secret Store: read once a container, read again when it stops working.

Knows nothing of this service: the file and those it stands on (backoff, ssm, aws, sigv4, http_client, and two functions
of config) can be taken into another Chalice app as they are. ::

    key = Secret("/stripeSecretKey/test")
    key.start()      # at import, before the slow imports: the read runs in the background
    import stripe
    key.wait()     # at the end of import: Lambda freezes the sandbox between init and the first event
    key.get()        # in a request: no network, unless the read failed
"""

import hmac
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from typing import NoReturn

from . import backoff
from .ssm import ANSWER, CONNECT, ParameterStore, ThrottledError, TransientError

_log = logging.getLogger(__name__)


class SecretError(Exception):
    """The parameter can't be used. The message is for logs: it names the parameter, never the value."""


class SecretUnavailableError(SecretError):
    """Parameter Store did not give the value."""


class SecretInvalidError(SecretError):
    """Parameter Store gave a value that can't be right."""


class SecretValue:
    """A value that is shown by nothing but :meth:`reveal`: no repr, str, format, pickle or traceback has it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the value itself. Call it where the value is used, and keep no other copy."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretValue):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a SecretValue is neither pickled nor copied")


class Secret:
    """A SecureString parameter, kept for the life of the process once it was read. Safe to use from many threads."""

    def __init__(
        self,
        name: str,
        *,
        check: Callable[[str], str | None] = lambda _value: None,
        budget: float = 3.0,
        renewal_interval: float = 30.0,
        around_read: Callable[[bool], AbstractContextManager[None]] = lambda _renewal: nullcontext(),
    ) -> None:
        """Nothing is read yet.

        :param name: the parameter's name, such as ``/stripeSecretKey/test``.
        :param check: says what is wrong with a value (without quoting it), or None. A wrong value is not kept.
        :param budget: seconds within which a read has ended, with all its retries, unless it may wait for longer.
        :param renewal_interval: seconds for which :meth:`refresh` reads at most once.
        :param around_read: makes the context in which each read runs, for those who count or trace them; it is told
            whether the read is a renewal. Context variables are those of whoever began the read.
        """
        self.name = name
        self._check = check
        self._budget = budget
        self._renewal_interval = renewal_interval
        self._around_read = around_read
        self._lock = threading.Lock()
        self._store = ParameterStore()
        self._kept: _Found | None = None
        self._read: _Read | None = None
        self._started: _Read | None = None
        self._read_at: float | None = None
        self._renewed_at: float | None = None
        self._throttled = 0  # attempts in a row, over all reads: a request goes on where init gave up

    @property
    def version(self) -> int | None:
        """Parameter Store's number of the value that is kept, which counts up from 1; None if none is kept."""
        kept = self._kept
        return kept.version if kept else None

    def start(self) -> None:
        """Begin the read in the background."""
        try:
            with self._lock:
                self._started = self._join_or_begin(0.0)
        except SecretError as error:
            _log.error("the read during init failed: %s", error)

    def wait(self) -> None:
        """Wait until the read that :meth:`start` began has ended, at most ``budget`` seconds.

        An error is logged and not kept: the next :meth:`get` tries again.
        """
        try:
            if self._started is not None:
                self._started.result()
        except SecretError as error:
            _log.error("the read during init failed: %s", error)

    def get(self, until: float = 0.0) -> SecretValue:
        """Return the value, reading it first if no read has succeeded yet.

        :param until: till when to wait while Secret Store throttles, by the monotonic clock; ``budget``, if later.
        :raises SecretUnavailableError: Secret Store did not give it in time.
        :raises SecretInvalidError: the value is not what ``check`` wants.
        """
        with self._lock:
            if self._kept is not None:
                return self._kept.secret
            read = self._join_or_begin(until)
        return read.result(max(until, time.monotonic() + self._budget))

    def refresh(self, refused: SecretValue, asked_at: float | None = None, until: float = 0.0) -> SecretValue:
        """Return what replaced a value that was refused where it was used.

        Reads at most once in ``renewal_interval`` seconds, so that refusals, which strangers may be able to
        provoke, never become a storm of reads.

        :param refused: the value that no longer works.
        :param asked_at: when the refused value was asked for, by the monotonic clock. If it was read since then, that
            read was this one: the value is as new as it gets, and the interval begins.
        :param until: as in :meth:`get`.
        :return: another value, or an equal one if there is no other (yet).
        :raises SecretError: the read failed; the old value is kept unless its replacement is invalid.
        """
        with self._lock:
            if self._kept is not None and self._kept.secret != refused:
                return self._kept.secret
            if asked_at is not None and self._read_at is not None and self._read_at >= asked_at:
                self._renewed_at = self._read_at
                return refused
            now = time.monotonic()
            under_way = self._read is not None and now < self._read.deadline
            recently = self._renewed_at is not None and now < self._renewed_at + self._renewal_interval
            if recently and not under_way:
                return refused
            self._renewed_at = self._renewed_at if recently else now
            read = self._join_or_begin(until, renewal=True)
        return read.result(max(until, time.monotonic() + self._budget))

    def _join_or_begin(self, until: float, *, renewal: bool = False) -> "_Read":
        """Return the read under way, or begin one. A read past its deadline was frozen with its sandbox: leave it."""
        now = time.monotonic()
        if self._read is None or now >= self._read.deadline:
            context = copy_context()
            read = _Read(
                self.name, lambda read: context.run(self._fetch, renewal, read), self._ended, now + self._budget, until
            )
            try:
                read.start()
            except RuntimeError as error:  # no more threads
                raise SecretUnavailableError(f"{self.name}: {error}") from error
            self._read = read
        self._read.until = max(self._read.until, until)
        return self._read

    def _ended(self, read: "_Read") -> None:
        with self._lock:
            if self._read is not read:
                return  # it was left, and what it brings is older than what its successor brought
            self._read = None
            if read.found is not None:
                self._kept, self._read_at = read.found, time.monotonic()
                self._throttled = 0
            elif isinstance(read.error, SecretInvalidError):
                self._kept = None

    def _fetch(self, renewal: bool, read: "_Read") -> "_Found":
        with self._around_read(renewal):
            return self._fetch_in_time(read)

    def _fetch_in_time(self, read: "_Read") -> "_Found":
        """Read the parameter, again where that may help, such that the last attempt ends before the deadline."""
        failed = 0
        while True:
            try:
                return self._fetch_once()
            except TransientError as error:
                if isinstance(error, ThrottledError):
                    self._throttled += 1
                    wait = backoff.next_attempt(self._throttled, read.left_if_throttled(), patient=read.patient)
                else:
                    failed += 1
                    wait = backoff.next_attempt(failed, read.deadline - time.monotonic(), takes=CONNECT + ANSWER)
                if wait is None:
                    raise SecretUnavailableError(f"{self.name}: {error}") from error
            time.sleep(wait)

    def _fetch_once(self) -> "_Found":
        try:
            stored = self._store.get(self.name)
        except TransientError:
            raise
        except Exception as error:
            raise SecretUnavailableError(f"{self.name}: {type(error).__name__}: {error}") from error
        if stored.kind != "SecureString":
            raise SecretInvalidError(f"{self.name} is a {stored.kind}, not a SecureString: store it again, encrypted")
        problem = self._check(stored.value) if stored.value else "is empty"
        if problem:
            raise SecretInvalidError(f"{self.name} {problem}")
        return _Found(SecretValue(stored.value), stored.version)


@dataclass(frozen=True)
class _Found:
    secret: SecretValue
    version: int | None


class _Read(threading.Thread):
    """One read, and what came of it. It has ended by ``deadline``, which being throttled puts off to ``until``."""

    def __init__(
        self,
        parameter: str,
        fetch: Callable[["_Read"], _Found],
        ended: Callable[["_Read"], None],
        deadline: float,
        until: float,
    ) -> None:
        super().__init__(name="parameter", daemon=True)
        self.deadline, self.until = deadline, until
        self.found: _Found | None = None
        self.error: SecretError | None = None
        self._parameter = parameter
        self._fetch = fetch
        self._ended_callback = ended
        self._done = threading.Event()

    def run(self) -> None:
        try:
            self.found = self._fetch(self)
        except SecretError as error:
            clear_frame_locals(error)
            self.error = error
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            self.error = SecretUnavailableError(f"{self._parameter}: {type(error).__name__}")
        self._ended_callback(self)
        self._done.set()

    @property
    def patient(self) -> bool:
        """Whether somebody waits for longer than a read takes that is not throttled."""
        return self.until >= self.deadline

    def left_if_throttled(self) -> float:
        """Return how many seconds are left, now that it is known that Secret Store throttles."""
        now = time.monotonic()
        if now < self.deadline:  # or nobody waits any more
            self.deadline = max(self.deadline, self.until)
        return self.deadline - now

    def result(self, limit: float = math.inf) -> SecretValue:
        """Wait for the value until the deadline, or a limit by the monotonic clock."""
        while not self._done.wait(max(0.0, min(limit, self.deadline) - time.monotonic())):
            if time.monotonic() >= min(limit, self.deadline):  # the deadline may have been put off meanwhile
                raise SecretUnavailableError(f"{self._parameter}: Secret Store did not answer in time")
        if self.error is not None:  # each waiter raises its own: a traceback grows with every raise
            raise type(self.error)(str(self.error)) from self.error
        assert self.found is not None
        return self.found.secret


def clear_frame_locals(error: BaseException | None) -> None:
    """Clear the local variables of the frames that an error and its causes went through.

    They may hold the value itself, and some error reporters record them.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
