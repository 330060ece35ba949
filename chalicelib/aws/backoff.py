"""How long to wait before Parameter Store is asked again. docs/fleet.md has what this brings, and what others would."""

import random

# Seconds.
_FIRST, _LONGEST = 0.1, 1.0
# Where somebody waits for the read as long as possible: seldom at first, and often when the time runs out.
_PATIENT, _SHORTEST, _HURRY = 4.0, 0.05, 6.0
# A throttled call is answered within some hundredths of a second. Whoever waits gives up at the deadline in any case.
_REFUSAL = 0.25


def next_attempt(failed: int, left: float, *, patient: bool = False, takes: float = _REFUSAL) -> float | None:
    """Return the seconds to wait after an attempt that failed, or None if there is no time for another one.

    They are random below a cap that doubles with each failure ("full jitter"), so that those who failed together do not
    come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). An account's reads
    go to whoever asks. So where a customer waits, the cap shrinks as the deadline nears: those who have waited longest
    ask most often, and do not starve among those who came later.

    :param failed: how many attempts failed in a row, from 1.
    :param left: seconds until the last one must have ended.
    :param patient: whether somebody's request waits as long as it can; if not, another read will follow.
    :param takes: seconds to leave for the attempt.
    """
    longest = max(_SHORTEST, _PATIENT * min(1.0, left / _HURRY) ** 3) if patient else _LONGEST
    wait = random.uniform(0, min(_FIRST * 2.0 ** min(failed - 1, 10), longest))
    return wait if wait + takes <= left else None
