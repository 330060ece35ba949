"""When a failed call to Stripe is repeated, and after which pause."""

import random
import time
from collections.abc import Callable

from chalicelib.stripe_client.errors import KEY_REJECTED, is_retryable
from chalicelib.stripe_client.transport import StripeStaleConnectionError

ATTEMPTS = 4

# Seconds. A pause is random below a cap that doubles with each pause ("full jitter").
_FIRST_CAP, _LONGEST_CAP = 0.25, 2.0


class RetryPolicy:
    """Decides about the repeats of one call. A repeat is safe: the call reads, or has the same idempotency key."""

    def __init__(
        self,
        latest_start: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """:param latest_start: when the last attempt may start, by the clock, so that it ends before the deadline."""
        self.latest_start = latest_start
        self._clock = clock
        self._jitter = jitter
        self._failures = 0
        self._cap = _FIRST_CAP

    @property
    def is_late(self) -> bool:
        """Whether no attempt may start any more."""
        return self._clock() > self.latest_start

    def pause_after(self, error: Exception) -> float | None:
        """Return the seconds to wait after a failed attempt, or None if it was the last one.

        Another key, and a new connection in place of a stale one, need no pause.
        """
        self._failures += 1
        if not (isinstance(error, KEY_REJECTED) or is_retryable(error)):
            return None
        pause = 0.0
        if not isinstance(error, (*KEY_REJECTED, StripeStaleConnectionError)):
            pause, self._cap = self._jitter(0, self._cap), min(2 * self._cap, _LONGEST_CAP)
        if self._failures == ATTEMPTS or self._clock() + pause > self.latest_start:
            return None
        return pause
