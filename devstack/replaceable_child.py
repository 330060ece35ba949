"""A child process that a new one replaces without losing work."""

import time
from collections.abc import Callable
from enum import Enum
from typing import Protocol

_READY_TIMEOUT = 30.0  # seconds
_FINISH_TIMEOUT = 30.0  # seconds; Lambda ends a request after 28


class Process(Protocol):
    """What is replaced: a :class:`devstack.child_process.Child`."""

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""

    @property
    def is_ready(self) -> bool:
        """Whether it accepts work."""

    @property
    def is_finishing(self) -> bool:
        """Whether it accepts no more work."""

    def finish(self) -> None:
        """Let it finish what it has, and end."""

    def stop(self) -> None:
        """End it at once."""


class Outcome(Enum):
    """How the start of a new process ended. After a failure the one before it still works."""

    REPLACED = "replaced"
    ENDED = "ended before it was ready"
    TIMED_OUT = f"was not ready within {_READY_TIMEOUT:.0f} s"


class ReplaceableChild:
    """A process, and the new one that is to replace it.

    Both exist until the new one is ready. Then the old one finishes what it has. :meth:`step` is called in a loop.
    """

    def __init__(self, start: Callable[[], Process], clock: Callable[[], float] = time.monotonic) -> None:
        """Start no process yet.

        :param start: starts a process.
        """
        self._start_process, self._clock = start, clock
        self._current: Process | None = None
        self._next: Process | None = None
        self._next_deadline = 0.0
        self._finishing: list[tuple[Process, float]] = []
        self._has_replaced = False

    @property
    def is_running(self) -> bool:
        """Whether a process accepts work."""
        return self._current is not None and not self._current.has_ended

    @property
    def has_ended(self) -> bool:
        """Whether a process accepted work and has ended by itself."""
        return self._current is not None and self._current.has_ended

    @property
    def is_changing(self) -> bool:
        """Whether a new process was started, and :meth:`step` has not returned an outcome yet."""
        return self._next is not None or self._has_replaced

    def replace(self) -> None:
        """Start a new process, instead of one that is not ready yet."""
        self.abandon()
        self._next_deadline = self._clock() + _READY_TIMEOUT
        self._next = self._start_process()

    def abandon(self) -> None:
        """End the new process if it is not ready yet."""
        if self._next:
            self._next.stop()
            self._next = None

    def step(self) -> Outcome | None:
        """Let a ready process take over, and return the outcome when there is one."""
        now = self._clock()
        for old, deadline in list(self._finishing):
            if old.has_ended or now > deadline:
                old.stop()
                self._finishing.remove((old, deadline))
        if self._next and self._next.is_ready:
            if self._current:
                self._current.finish()
                self._finishing.append((self._current, now + _FINISH_TIMEOUT))
            self._current, self._next, self._has_replaced = self._next, None, True
        elif self._next and (self._next.has_ended or now > self._next_deadline):
            outcome = Outcome.ENDED if self._next.has_ended else Outcome.TIMED_OUT
            self._next.stop()
            self._next = None
            return outcome
        if self._has_replaced and all(old.is_finishing for old, _ in self._finishing):
            self._has_replaced = False
            return Outcome.REPLACED
        return None

    def stop(self) -> None:
        """End all processes at once."""
        for process in (self._current, self._next, *(old for old, _ in self._finishing)):
            if process:
                process.stop()
