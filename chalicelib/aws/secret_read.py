"""One read of a SecureString parameter: its attempts, its retries, and when it gives up."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import copy_context

from . import backoff
from .client import ThrottledError, TransientError
from .secret_value import SecretError, SecretInvalidError, SecretUnavailableError, SecretValue, clear_frame_locals
from .ssm import CALL_TIMEOUT, Parameter


class SecretRead:
    """One read, with retries, in a background thread. Its outcome is ``value`` and ``version``, or ``error``.

    It ends by ``deadline`` (monotonic). While Parameter Store throttles, the deadline moves to ``until``, if later.

    :param fetch: makes one call for the parameter with a name.
    :param validate: returns why a value is invalid, without quoting it, or None.
    :param timeout: seconds until the deadline.
    :param throttled_attempts: how many attempts in a row were throttled before this read.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[str], Parameter],
        validate: Callable[[str], str | None],
        *,
        timeout: float,
        until: float = 0.0,
        throttled_attempts: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.deadline, self.until = clock() + timeout, until
        self.throttled_attempts = throttled_attempts
        self.value: SecretValue | None = None
        self.version: int | None = None
        self.error: SecretError | None = None
        self._name, self._fetch, self._validate = name, fetch, validate
        self._clock, self._sleep = clock, sleep
        self._failed_attempts = 0
        self._done = threading.Event()

    def start(self, around: Callable[[], AbstractContextManager[None]], on_end: Callable[["SecretRead"], None]) -> None:
        """Run in a background thread, with a copy of the caller's context variables.

        :raises SecretUnavailableError: the process can't start another thread.
        """
        run = threading.Thread(target=copy_context().run, args=(self.run, around, on_end), name="secret", daemon=True)
        try:
            run.start()
        except RuntimeError as error:
            raise SecretUnavailableError(f"{self._name}: {error}") from error

    def run(self, around: Callable[[], AbstractContextManager[None]], on_end: Callable[["SecretRead"], None]) -> None:
        """Read inside the context that ``around`` makes, then call ``on_end``."""
        try:
            with around():
                self.value = self._fetch_with_retries()
            self.throttled_attempts = 0
        except SecretError as error:
            clear_frame_locals(error)
            self.error = error
        except Exception as error:  # noqa: BLE001 - the waiting threads must receive every error
            self.error = SecretUnavailableError(f"{self._name}: {type(error).__name__}")
        on_end(self)
        self._done.set()

    def has_expired(self) -> bool:
        """Return whether the deadline has passed."""
        return self._clock() >= self.deadline

    def result(self, limit: float = math.inf) -> SecretValue:
        """Wait for the value.

        :param limit: a monotonic time to stop waiting at, if before the deadline.
        :raises SecretError: the read failed, or did not end in time.
        """
        while not self._done.wait(max(0.0, min(limit, self.deadline) - self._clock())):
            if self._clock() >= min(limit, self.deadline):  # throttling may have moved the deadline meanwhile
                raise SecretUnavailableError(f"{self._name}: Parameter Store did not respond in time")
        if self.error is not None:  # each waiter raises its own: a traceback grows with every raise
            raise type(self.error)(str(self.error)) from self.error
        assert self.value is not None
        return self.value

    def _fetch_with_retries(self) -> SecretValue:
        while True:
            try:
                return self._fetch_once()
            except TransientError as error:
                delay = self._retry_delay(error)
                if delay is None:
                    raise SecretUnavailableError(f"{self._name}: {error}") from error
            self._sleep(delay)

    def _retry_delay(self, error: TransientError) -> float | None:
        now = self._clock()
        if not isinstance(error, ThrottledError):
            self._failed_attempts += 1
            return backoff.retry_delay(self._failed_attempts, self.deadline - now, call_timeout=CALL_TIMEOUT)
        self.throttled_attempts += 1
        if now < self.deadline:  # past the deadline, nobody waits for this read
            self.deadline = max(self.deadline, self.until)
        is_awaited = self.until >= self.deadline
        return backoff.retry_delay(self.throttled_attempts, self.deadline - now, is_awaited=is_awaited)

    def _fetch_once(self) -> SecretValue:
        try:
            parameter = self._fetch(self._name)
        except TransientError:
            raise
        except Exception as error:
            raise SecretUnavailableError(f"{self._name}: {type(error).__name__}: {error}") from error
        if parameter.type != "SecureString":
            raise SecretInvalidError(f"{self._name} is a {parameter.type}, not a SecureString: store it encrypted")
        problem = self._validate(parameter.value) if parameter.value else "is empty"
        if problem:
            raise SecretInvalidError(f"{self._name} {problem}")
        self.version = parameter.version
        return SecretValue(parameter.value)
