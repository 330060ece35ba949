"""How long to wait before a read of Parameter Store is retried. docs/fleet.md compares this with other policies."""

import random

# Seconds. The cap of the first delay, and of all delays if no request waits for the read.
_FIRST, _LONGEST = 0.1, 1.0
# The cap while a request waits: _PATIENT at first. In the last _HURRY seconds it shrinks, down to _SHORTEST.
_PATIENT, _SHORTEST, _HURRY = 4.0, 0.05, 6.0
# AWS responds to a throttled call within some hundredths of a second.
_THROTTLED_CALL = 0.25


def retry_delay(
    failures: int, remaining: float, *, is_awaited: bool = False, call_timeout: float = _THROTTLED_CALL
) -> float | None:
    """Return the seconds to wait before the next attempt, or None if the remaining time is too short for one.

    The delay is random below a cap that doubles with each failure ("full jitter"), so that clients that failed together
    do not retry together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). An account's
    reads go to the clients that try most often. So while a request waits, the cap shrinks as the deadline nears: the
    clients that have waited longest try most often, and newer ones do not starve them.

    :param failures: failed attempts in a row, from 1.
    :param remaining: seconds until the last attempt must have ended.
    :param is_awaited: whether a request waits until the deadline; if not, another read will follow.
    :param call_timeout: seconds to reserve for the attempt.
    """
    longest = max(_SHORTEST, _PATIENT * min(1.0, remaining / _HURRY) ** 3) if is_awaited else _LONGEST
    delay = random.uniform(0, min(_FIRST * 2.0 ** min(failures - 1, 10), longest))
    return delay if delay + call_timeout <= remaining else None
