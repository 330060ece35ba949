"""A fleet of cold containers, event by event in no time, with the service's own policy and the devstack's own bucket.

What is simulated is the waiting: who asks Parameter Store when, who gets the key, who is told to come back. How long an
import, a read and a call to Stripe take comes from real containers (benchmarks/fleet_containers.py).
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from chalicelib.aws.backoff import retry_delay
from chalicelib.billing.charge_problems import KEY_RETRY_AFTER
from chalicelib.billing.payments import KEY_WITHIN
from devstack.throttle import TokenBucket

INIT = 3.0  # seconds, the timeout of a read during init (chalicelib/aws/secret.py)

# Takes how many attempts failed, the seconds left, and whether a request waits; returns the pause, or None.
NextAttempt = Callable[[int, float, bool], float | None]


@dataclass(frozen=True)
class Policy:
    """How a container reads the key while Parameter Store throttles.

    ``request``: seconds for which a request waits for the key. ``remembers``: whether a request's read goes on counting
    failures where init's read gave up.
    """

    name: str
    next_attempt: NextAttempt
    request: float = KEY_WITHIN
    remembers: bool = True


def _service(failed: int, left: float, patient: bool) -> float | None:
    return retry_delay(failed, left, is_awaited=patient)


SERVICE = Policy("the service", _service)


@dataclass(frozen=True)
class Timing:
    """Seconds as real containers took them, which the simulated ones take in turn: from the purchase until the new
    process begins its read (``read``), from then until its imports are done (``imports``), of a read that is given the
    key (``given``) and of one that is throttled, and of a purchase once the key is there (``purchase``).
    """

    read: Sequence[float]
    imports: Sequence[float]
    given: Sequence[float]
    throttled: Sequence[float]
    purchase: Sequence[float]


@dataclass(frozen=True)
class Fleet:
    """So many containers, each with a purchase, at random times within ``within`` seconds, and the limit they meet.

    ``burst``: how many reads Parameter Store allows at once after a pause; None for a second's worth.
    """

    containers: int
    within: float
    reads_per_second: float
    burst: float | None = None


@dataclass
class Purchase:
    """What became of one: the seconds from the request to its first answer, and to being paid; how often it was told to
    come back; how many reads its container made.
    """

    arrived: float
    answered: float = 0.0
    paid: float = 0.0
    told: int = 0
    reads: int = 0


@dataclass(frozen=True)
class Outcome:
    """All purchases of a fleet, and how many reads were refused in each second (``refused``, by the second)."""

    purchases: list[Purchase]
    given: int
    refused: Counter[int] = field(default_factory=Counter)


def arrivals(fleet: Fleet, seed: int) -> list[float]:
    """Return when each purchase of a fleet is made, the same for the same seed, in order."""
    drawn = random.Random(seed)
    return sorted(drawn.uniform(0, fleet.within) for _ in range(fleet.containers))


def simulate(
    fleet: Fleet,
    timing: Timing,
    *,
    policy: Policy = SERVICE,
    retry_after: float = KEY_RETRY_AFTER,
    seed: int = 0,
    jitter: int = 0,
) -> Outcome:
    """Let a fleet start, and return what became of its purchases. Whoever is told to come back does, until it has paid.

    :param policy: the service's, or another to compare with.
    :param retry_after: the seconds that an answer tells to wait.
    :param seed: for the arrivals.
    :param jitter: for all else that is random: the ``random`` module, of which the policy draws, is seeded.
    """
    random.seed(f"{seed} {jitter}")
    now = 0.0
    bucket = TokenBucket(fleet.reads_per_second, lambda: now, burst=fleet.burst)
    purchases = [Purchase(arrived) for arrived in arrivals(fleet, seed)]
    given, refused = 0, Counter[int]()
    events: list[tuple[float, int, _Container]] = []
    for number, purchase in enumerate(purchases):
        begun = purchase.arrived + timing.read[number % len(timing.read)]
        container = _container(purchase, begun, timing, policy, retry_after)
        heapq.heappush(events, (next(container), number, container))
    while events:
        now, number, container = heapq.heappop(events)
        got = bucket.take()
        given += got
        refused[int(now)] += not got
        try:
            heapq.heappush(events, (container.send(got), number, container))
        except StopIteration:
            continue
    return Outcome(purchases, given, +refused)


# Yields when it asks Parameter Store next, and is sent whether it got the key.
_Container = Generator[float, bool, None]


def _container(purchase: Purchase, begun: float, timing: Timing, policy: Policy, retry_after: float) -> _Container:
    """Live as a container: init with its read, then the request, again and again until it has paid."""
    failed, now, got = yield from _read(purchase, timing, policy, begun, INIT, 0)
    now = max(now, begun + random.choice(timing.imports))
    while not got:
        failed, now, got = yield from _read(purchase, timing, policy, now, policy.request, failed)
        if not got:
            purchase.told += 1
            purchase.answered = purchase.answered or now - purchase.arrived
            now += retry_after
    purchase.paid = now + random.choice(timing.purchase) - purchase.arrived
    purchase.answered = purchase.answered or purchase.paid


def _read(
    purchase: Purchase, timing: Timing, policy: Policy, now: float, budget: float, failed: int
) -> Generator[float, bool, tuple[int, float, bool]]:
    """Do as Parameter's read does: attempts until one is given the key, or none fits before the deadline."""
    deadline = now + budget
    failed = failed if policy.remembers else 0
    while True:
        purchase.reads += 1
        got = yield now
        now += random.choice(timing.given if got else timing.throttled)
        if got:
            return 0, now, True
        failed += 1
        wait = policy.next_attempt(failed, deadline - now, budget != INIT)
        if wait is None:
            return failed, now, False
        now += wait
