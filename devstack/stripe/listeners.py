"""Listeners outside the emulator: the functions that receive its events and delivery attempts."""

import copy
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from devstack.stripe.account import Object


def notify_listener(listener: Callable[[Any], None] | None, value: object) -> None:
    """Call a listener. Report an exception in it as uncaught, and continue: a bug of the listener fails no API call."""
    if listener is None:
        return
    try:
        listener(value)
    except Exception as error:  # noqa: BLE001 - see above
        arguments = (type(error), error, error.__traceback__, threading.current_thread())
        threading.excepthook(threading.ExceptHookArgs(arguments))


class EventFeed:
    """Passes each event to ``on_event`` once, one at a time and in order, while no API call's lock is held.

    A call may end before its events are passed on, if the thread of another call is busy with earlier events. A single
    client that makes one call at a time does not observe this.
    """

    def __init__(self, on_event: Callable[[Object], None] | None) -> None:
        self._on_event = on_event
        self._queue: deque[Object] = deque()
        self._delivering = threading.Lock()

    def add(self, event: Object) -> None:
        """Append a copy of an event to the queue."""
        self._queue.append(copy.deepcopy(event))

    def deliver(self) -> None:
        """Pass on the events in the queue, unless another thread is doing so."""
        # Check again after the release: an event may arrive after the inner loop ended and before the release.
        while self._queue and self._delivering.acquire(blocking=False):
            try:
                while self._queue:
                    notify_listener(self._on_event, self._queue.popleft())
            finally:
                self._delivering.release()
