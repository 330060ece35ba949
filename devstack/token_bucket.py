"""A token bucket, which is how AWS limits calls: it fills at a rate, and each call takes a token or is rejected."""

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Allows ``rate`` calls per second, and a burst after a pause. Safe to use from many threads.

    AWS documents the rate (https://docs.aws.amazon.com/general/latest/gr/ssm.html), but not the size of its bucket. The
    default, one second's worth of tokens, is an assumption. A rejected call takes no token.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic, *, burst: float | None = None) -> None:
        """Start with a full bucket.

        :param rate: tokens per second, above 0.
        :param clock: the time in seconds.
        :param burst: the bucket's size in tokens, at least 1; None for one second's worth.
        """
        self._rate, self._size = rate, max(1.0, rate if burst is None else burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens, self._filled_at = self._size, clock()

    def take(self) -> bool:
        """Take a token if there is one, and return whether there was."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
