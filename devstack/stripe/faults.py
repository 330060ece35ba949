"""Faults on demand: the next calls are delayed, fail, or get a malformed response or none."""

import threading
from dataclasses import dataclass
from typing import Any, Literal

_LONGEST = 3600  # seconds


@dataclass(frozen=True)
class Fault:
    """A fault of one call; its members combine, such as a delay and a cut.

    :param status: respond with Stripe's own error for this status, without executing the call.
    :param delay: seconds to wait before the execution, while the idempotency key is in use.
    :param delay_after: seconds to wait between the execution and the response.
    :param cut: close the connection instead of responding: ``before`` the execution (nothing is executed, and ``delay``
        passes first) or ``after`` it (the charge is made, and its result is stored under the idempotency key).
    :param body: respond with these bytes, and with ``status`` or 200, without executing the call.
    :param match: the calls with the fault, by the beginning of their path or of method and path:
        ``/v1/payment_intents``, ``POST /v1/refunds``.
    :param executed: with a ``status`` or ``body``, execute the call nevertheless, and store the true result.
    """

    status: int | None = None
    delay: float = 0.0
    delay_after: float = 0.0
    cut: Literal["before", "after"] | None = None
    body: bytes | None = None
    match: str = "/v1/"
    executed: bool = False

    @property
    def replaces_response(self) -> bool:
        """Whether the response is not the API's."""
        return self.status is not None or self.body is not None

    @property
    def executes(self) -> bool:
        """Whether the call is executed."""
        return self.cut != "before" and (self.executed or not self.replaces_response)

    def matches(self, method: str, path: str) -> bool:
        """Return whether a call has the fault."""
        return f"{method} {path}".startswith(self.match) if " " in self.match else path.startswith(self.match)

    def __post_init__(self) -> None:
        status = self.status
        if status is not None and not 200 <= status <= 599:
            raise ValueError(f"status is {status}: it must be 200 to 599.")
        if status is not None and status < 400 and self.body is None:
            raise ValueError(f"status {status} needs a body. Only a status of 400 or more has a body by default.")
        if not (0 <= self.delay <= _LONGEST and 0 <= self.delay_after <= _LONGEST):
            raise ValueError(f"delay and delay_after are seconds, 0 to {_LONGEST}.")
        if self.cut not in (None, "before", "after"):
            raise ValueError(f"cut is {self.cut!r}: it must be 'before' or 'after'.")
        if self.executed and not self.replaces_response:
            raise ValueError("executed needs a status or a body.")


NONE = Fault()


class Faults:
    """The faults of the next calls. A call has the first that matches it. Safe to use from many threads.

    ``held``: the number of calls that are in a delay now; each holds its idempotency key.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[int | None, Fault]] = []
        self.held = 0

    def add(self, count: int | None = 1, **members: Any) -> Fault:
        """Add a fault.

        :param count: the number of calls with it; None for every call until the fault is removed.
        :param members: see :class:`Fault`.
        :return: the fault, for :meth:`remove`.
        :raises ValueError: a value is invalid; the message is a sentence.
        """
        if count is not None and count < 1:
            raise ValueError(f"count is {count}: it must be 1 or more.")
        fault = Fault(**members)
        if fault == Fault(match=fault.match):
            raise ValueError("a fault needs a status, a body, a delay or a cut.")
        with self._lock:
            self._waiting.append((count, fault))
        return fault

    def remove(self, fault: Fault) -> None:
        """Remove a fault that :meth:`add` returned, if it still waits for calls."""
        with self._lock:
            self._waiting = [entry for entry in self._waiting if entry[1] is not fault]

    def is_active(self, fault: Fault) -> bool:
        """Return whether a fault that :meth:`add` returned still waits for calls."""
        with self._lock:
            return any(waiting is fault for _, waiting in self._waiting)

    def clear(self) -> None:
        """Remove every fault."""
        with self._lock:
            self._waiting.clear()

    def hold(self, seconds: float, stopping: threading.Event) -> bool:
        """Delay a call. Return whether ``stopping`` ended the delay early."""
        if seconds == 0:
            return stopping.is_set()
        with self._lock:
            self.held += 1
        try:
            return stopping.wait(seconds)
        finally:
            with self._lock:
                self.held -= 1

    def next(self, method: str, path: str) -> Fault:
        """Return the first fault that matches a call, and count the call; :data:`NONE` if no fault matches."""
        with self._lock:
            for index, (count, fault) in enumerate(self._waiting):
                if fault.matches(method, path):
                    if count is not None:
                        self._waiting[index : index + 1] = [(count - 1, fault)] if count > 1 else []
                    return fault
        return NONE
