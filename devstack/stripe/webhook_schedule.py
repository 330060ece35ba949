"""When a delivery is attempted: as soon as it is due, and again after growing pauses."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from devstack.stripe.account import Account, Clock

_WORKERS = 8
_JOIN_TIMEOUT = 5.0  # seconds
_GIVE_UP_AFTER = 3 * 86400.0  # seconds
_DOUBLINGS, _LONGEST_PAUSE = 6, 60  # in first pauses


@dataclass(eq=False)
class Delivery:
    """An event to deliver to an endpoint. Only one thread at a time attempts it."""

    account: Account
    event_id: str
    endpoint_id: str
    created: float  # Unix seconds
    lose_first: bool = False
    attempts: int = 0
    cancelled: bool = False


class RetrySchedule:
    """Attempts deliveries in background threads until each succeeds or is given up. Safe to use from many threads."""

    def __init__(self, attempt: Callable[[Delivery], bool], clock: Clock, first_pause: float) -> None:
        """Start no thread before the first delivery.

        :param attempt: makes one attempt and returns whether to retry.
        :param clock: measures the three days after which a delivery is given up; pauses are in real time.
        :param first_pause: seconds before the second attempt; doubled each time, up to 60 times this.
        :raises ValueError: the pause is not above 0.
        """
        if not first_pause > 0:
            raise ValueError(f"webhook_pause is {first_pause}: it must be above 0 seconds.")
        self._attempt = attempt
        self._clock = clock
        self._first_pause = first_pause
        self._lock = threading.RLock()  # a thread may take it while it holds an account's lock, never the reverse
        self._due, self._done = threading.Condition(self._lock), threading.Condition(self._lock)
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, Delivery]] = []  # a heap: due time, a number for ties, delivery
        self._running: set[Delivery] = set()
        self._workers: list[threading.Thread] = []
        self.stopping = False

    @property
    def pending(self) -> int:
        """The number of deliveries that have neither succeeded nor been given up."""
        with self._lock:
            return len(self._waiting) + len(self._running)

    def wait(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds until no delivery is pending, and return whether none is."""
        with self._lock:
            return self._done.wait_for(lambda: not self.pending, timeout)

    def add(self, delivery: Delivery, pause: float) -> None:
        """Schedule the first attempt of a delivery in ``pause`` seconds."""
        with self._lock:
            if not self.stopping:
                self._push(delivery, pause)

    def cancel(self, endpoint_id: str) -> None:
        """Give up every delivery to an endpoint. An attempt under way ends, and is not retried."""
        with self._lock:
            self._waiting = [entry for entry in self._waiting if entry[-1].endpoint_id != endpoint_id]
            heapq.heapify(self._waiting)
            for delivery in self._running:
                delivery.cancelled = delivery.cancelled or delivery.endpoint_id == endpoint_id
            self._done.notify_all()

    def stop(self, interrupt: Callable[[], None]) -> None:
        """Give up every delivery, interrupt the attempts under way, and end every thread."""
        with self._lock:
            self.stopping = True
            self._waiting = []
            self._due.notify_all()
            self._done.notify_all()
        interrupt()
        for worker in self._workers:
            if worker is not threading.current_thread():
                worker.join(_JOIN_TIMEOUT)

    def _push(self, delivery: Delivery, pause: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + pause, next(self._numbers), delivery))
        if len(self._workers) < _WORKERS:
            name = f"Stripe emulator webhooks {len(self._workers) + 1}"
            worker = threading.Thread(target=self._work, name=name, daemon=True)
            self._workers.append(worker)
            worker.start()
        self._due.notify()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            retry = False
            try:
                retry = self._attempt(delivery)
            finally:
                self._finish(delivery, retry)

    def _next(self) -> Delivery | None:
        """Wait for the next delivery that is due; return None when stopping."""
        with self._lock:
            while not self.stopping:
                seconds = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if seconds is not None and seconds <= 0:
                    delivery = heapq.heappop(self._waiting)[-1]
                    self._running.add(delivery)
                    self._due.notify()  # the next thread waits for the next delivery
                    return delivery
                self._due.wait(seconds)
        return None

    def _finish(self, delivery: Delivery, retry: bool) -> None:
        with self._lock:
            self._running.discard(delivery)
            is_expired = self._clock() - delivery.created >= _GIVE_UP_AFTER
            if retry and not (is_expired or delivery.cancelled or self.stopping):
                self._push(delivery, self._first_pause * pauses_after(delivery.attempts))
            elif not self.pending:
                self._done.notify_all()


def pauses_after(attempts: int) -> int:
    """Return the pause after a failed attempt, in first pauses: 1, 2, 4, 8, 16, 32, 60, 60, ..."""
    return min(1 << min(attempts - 1, _DOUBLINGS), _LONGEST_PAUSE)
