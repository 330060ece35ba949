"""A secret in AWS Systems Manager Parameter Store: read once per container, and again when it stops working.

The package ``aws`` imports nothing else of this project, and can be copied into another Chalice app::

    key = Secret("/stripeSecretKey/test")
    key.start()  # at import, before the slow imports: the read runs in the background
    import stripe
    key.wait()  # at the end of import: Lambda freezes the sandbox between init and the first event
    key.get().reveal()  # in a request: makes no call, unless the read failed
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from .secret_read import SecretRead
from .secret_value import SecretError, SecretInvalidError, SecretUnavailableError, SecretValue, clear_frame_locals
from .ssm import Parameter, ParameterStore

__all__ = ["Secret", "SecretError", "SecretInvalidError", "SecretUnavailableError", "SecretValue", "clear_frame_locals"]

_log = logging.getLogger(__name__)


class Secret:
    """A SecureString parameter, cached for the life of the process. Safe to use from many threads.

    :param name: the parameter's name, such as ``/stripeSecretKey/test``.
    :param validate: returns why a value is invalid, or None. The reason must not contain the value.
    :param timeout: seconds for one read with its retries. Throttling may extend it: see :meth:`get`.
    :param refresh_interval: seconds in which :meth:`refresh` reads at most once.
    :param around_read: a context manager around each read, such as a trace. It is called with True for a refresh. A
        read gets a copy of the caller's context variables.
    :param fetch: fetches the parameter with a name, in one call; by default from Parameter Store.
    """

    def __init__(
        self,
        name: str,
        *,
        validate: Callable[[str], str | None] = lambda _value: None,
        timeout: float = 3.0,
        refresh_interval: float = 30.0,
        around_read: Callable[[bool], AbstractContextManager[None]] = lambda _is_refresh: nullcontext(),
        fetch: Callable[[str], Parameter] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.version: int | None = None
        """Parameter Store's version of the cached value, which counts up from 1; None if no value is cached."""
        self._around_read = around_read
        self._timeout, self._refresh_interval = timeout, refresh_interval
        self._clock = clock
        self._new_read = partial(
            SecretRead, name, fetch or ParameterStore().get, validate, timeout=timeout, clock=clock, sleep=sleep
        )
        self._lock = threading.Lock()
        self._cached: SecretValue | None = None
        self._read: SecretRead | None = None
        self._started: SecretRead | None = None
        self._cached_at: float | None = None
        self._refreshed_at: float | None = None
        self._throttled_attempts = 0  # consecutive, across reads: a request continues init's backoff

    def start(self) -> None:
        """Start the read in the background."""
        try:
            with self._lock:
                self._started = self._join_or_start()
        except SecretError as error:
            _log.error("the read during init failed: %s", error)

    def wait(self) -> None:
        """Wait until the read that :meth:`start` started has ended.

        An error is logged and not cached: the next :meth:`get` reads again.
        """
        try:
            if self._started is not None:
                self._started.result()
        except SecretError as error:
            _log.error("the read during init failed: %s", error)

    def get(self, until: float = 0.0) -> SecretValue:
        """Return the value. Read it if none is cached.

        :param until: a monotonic time to retry until if Parameter Store throttles, if it is later than the timeout.
        :raises SecretUnavailableError: Parameter Store did not return it in time.
        :raises SecretInvalidError: the value is invalid.
        """
        with self._lock:
            if self._cached is not None:
                return self._cached
            read = self._join_or_start(until)
        return read.result(max(until, self._clock() + self._timeout))

    def refresh(self, rejected: SecretValue, requested_at: float | None = None, until: float = 0.0) -> SecretValue:
        """Read the secret again after a service rejected it.

        Reads at most once per ``refresh_interval``: anyone can send a forged webhook, which must not cause a read each.

        :param rejected: the value that no longer works.
        :param requested_at: the monotonic time of the call of :meth:`get`. A value that was read later is new: it is
            returned without another read, and the interval starts at its read.
        :param until: as in :meth:`get`.
        :return: the new value, or the same one if it has not changed.
        :raises SecretError: the read failed. The cached value stays, unless its replacement is invalid.
        """
        with self._lock:
            if self._cached is not None and self._cached != rejected:
                return self._cached
            if requested_at is not None and self._cached_at is not None and self._cached_at >= requested_at:
                self._refreshed_at = self._cached_at
                return rejected
            now = self._clock()
            is_recent = self._refreshed_at is not None and now < self._refreshed_at + self._refresh_interval
            if is_recent and (self._read is None or self._read.has_expired()):
                return rejected
            if not is_recent:
                self._refreshed_at = now
            read = self._join_or_start(until, is_refresh=True)
        return read.result(max(until, self._clock() + self._timeout))

    def _join_or_start(self, until: float = 0.0, *, is_refresh: bool = False) -> SecretRead:
        """Join the read in progress, or start one. Replace a read past its deadline: Lambda may have frozen it."""
        if self._read is None or self._read.has_expired():
            attempts = self._read.throttled_attempts if self._read else self._throttled_attempts
            read = self._new_read(until=until, throttled_attempts=attempts)
            read.start(partial(self._around_read, is_refresh), self._store_result)
            self._read = read
        self._read.until = max(self._read.until, until)
        return self._read

    def _store_result(self, read: SecretRead) -> None:
        with self._lock:
            if self._read is not read:
                return  # abandoned: its successor's value is newer
            self._read = None
            self._throttled_attempts = read.throttled_attempts
            if read.error is None:
                self._cached, self.version, self._cached_at = read.value, read.version, self._clock()
            elif isinstance(read.error, SecretInvalidError):
                self._cached = self.version = None  # an invalid replacement means that the old value is obsolete
