"""How AWS limits calls: a bucket of tokens that fills at a rate, and each call takes one or is refused."""

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Lets through ``rate`` calls a second, and a second's worth at once after a pause. Safe to use from many threads.

    AWS says the rate (Parameter Store: 40 a second, https://docs.aws.amazon.com/general/latest/gr/ssm.html), not the
    size of its bucket; a second's worth is an assumption. A call that is refused takes nothing.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic, *, burst: float | None = None) -> None:
        """The bucket is full.

        :param rate: tokens a second, above 0.
        :param clock: the time in seconds.
        :param burst: how many tokens it holds, at least 1; None for a second's worth.
        """
        self._rate, self._size = rate, max(1.0, rate if burst is None else burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens, self._filled_at = self._size, clock()

    def take(self) -> bool:
        """Take a token; say whether there was one."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
