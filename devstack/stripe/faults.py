"""Faults on demand: the next calls are delayed, refused, garbled or cut off."""

import threading
from dataclasses import dataclass
from typing import Literal

Cut = Literal["before", "after"]

_LONGEST = 3600  # seconds


@dataclass(frozen=True)
class Fault:
    """What happens to one call; :meth:`Faults.add` says what each member does."""

    status: int | None = None
    delay: float = 0.0
    delay_after: float = 0.0
    cut: Cut | None = None
    body: bytes | None = None
    match: str = "/v1/"
    executed: bool = False
    saved: bool = False

    @property
    def replaces_answer(self) -> bool:
        """Whether the answer is another than the API's."""
        return self.status is not None or self.body is not None

    @property
    def executes(self) -> bool:
        """Whether the call is executed."""
        return self.cut != "before" and (self.executed or self.saved or not self.replaces_answer)

    def fits(self, method: str, path: str) -> bool:
        """Tell whether the fault is meant for a call."""
        return f"{method} {path}".startswith(self.match) if " " in self.match else path.startswith(self.match)


NONE = Fault()


def _check(fault: Fault) -> None:
    status, cut = fault.status, fault.cut
    if status is not None and not 200 <= status <= 599:
        raise ValueError(f"status is {status}: it must be 200 to 599.")
    if status is not None and status < 400 and fault.body is None:
        raise ValueError(f"status {status} needs a body: Stripe has an error's body for 400 and up alone.")
    if not (0 <= fault.delay <= _LONGEST and 0 <= fault.delay_after <= _LONGEST):
        raise ValueError(f"delay and delay_after are seconds, 0 to {_LONGEST}.")
    if cut not in (None, "before", "after"):
        raise ValueError(f"cut is {cut!r}: it must be 'before' or 'after'.")
    if fault.executed and not fault.replaces_answer:
        raise ValueError("executed says what goes with a status or a body; there is neither.")
    if fault.saved and (status is None or status < 400 or fault.body is not None or fault.executed):
        raise ValueError("saved needs a status of 400 or more, and neither body nor executed.")
    if fault == Fault(match=fault.match):
        raise ValueError("a fault needs a status, a body, a delay or a cut.")


class Faults:
    """The faults to come, first added first. One call meets one fault. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[int | None, Fault]] = []
        self._held = 0

    def add(
        self,
        count: int | None = 1,
        *,
        status: int | None = None,
        delay: float = 0.0,
        delay_after: float = 0.0,
        cut: Cut | None = None,
        body: bytes | None = None,
        match: str = "/v1/",
        executed: bool = False,
        saved: bool = False,
    ) -> Fault:
        """Let something go wrong with the next calls. What is given goes together, such as a delay and a cut.

        :param count: how many calls; None for all until the fault is taken away.
        :param status: answer with Stripe's own error for this status, without executing.
        :param delay: seconds to wait before executing, with the idempotency key claimed.
        :param delay_after: seconds to wait after executing, before answering.
        :param cut: close the connection instead of answering: ``before`` executing (nothing is executed, and
            ``delay`` passes first), or ``after`` it (the charge is made, and its result kept under its key).
        :param body: answer with these bytes, whatever they are, and ``status`` or 200, without executing.
        :param match: the calls that are meant, by the beginning of their path, a method before it if one is meant:
            ``/v1/payment_intents``, ``POST /v1/refunds``.
        :param executed: execute all the same, and keep the true result, where ``status`` or ``body`` is answered.
        :param saved: let the execution itself end with ``status``, charging nothing: the error is what the
            idempotency key keeps, as Stripe keeps a 500.
        :return: the fault, for :meth:`remove`.
        :raises ValueError: a value makes no sense; the message is a sentence.
        """
        if count is not None and count < 1:
            raise ValueError(f"count is {count}: it must be 1 or more.")
        fault = Fault(status, delay, delay_after, cut, body, match, executed, saved)
        _check(fault)
        with self._lock:
            self._waiting.append((count, fault))
        return fault

    def remove(self, fault: Fault) -> None:
        """Take back a fault that :meth:`add` returned, if calls would still meet it."""
        with self._lock:
            self._waiting = [entry for entry in self._waiting if entry[1] is not fault]

    def awaits(self, fault: Fault) -> bool:
        """Tell whether calls would still meet a fault that :meth:`add` returned."""
        with self._lock:
            return any(waiting is fault for _, waiting in self._waiting)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._waiting.clear()

    @property
    def held(self) -> int:
        """How many calls are in their delay right now; before executing, each has claimed its idempotency key."""
        return self._held

    def hold(self, seconds: float, stopping: threading.Event) -> bool:
        """Let a call wait.

        :param seconds: how long.
        :param stopping: ends the wait early.
        :return: whether it was ended early.
        """
        if seconds == 0:
            return stopping.is_set()
        with self._lock:
            self._held += 1
        try:
            return stopping.wait(seconds)
        finally:
            with self._lock:
                self._held -= 1

    def next(self, method: str, path: str) -> Fault:
        """Take the fault that a call meets.

        :return: :data:`NONE` if it meets none.
        """
        with self._lock:
            for index, (count, fault) in enumerate(self._waiting):
                if fault.fits(method, path):
                    if count is not None:
                        self._waiting[index : index + 1] = [(count - 1, fault)] if count > 1 else []
                    return fault
        return NONE
