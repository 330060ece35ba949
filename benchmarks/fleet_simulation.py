"""Simulates a fleet of cold containers as discrete events, with the service's retry delays and a token bucket.

Only the waiting is simulated: when each container reads from Parameter Store, which reads are throttled, and which
purchases get a 503. Imports, reads and calls to Stripe take as long as in real containers
(benchmarks/fleet_containers.py).
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from chalicelib.aws.backoff import retry_delay
from chalicelib.billing.charge_problems import KEY_RETRY_AFTER
from chalicelib.stripe_client.api import CALL_TIMEOUT, RESERVED_FOR_STRIPE
from devstack.token_bucket import TokenBucket

INIT_READ_TIMEOUT = 3.0  # seconds that a read during init may take (chalicelib/aws/secret.py)

# Takes the number of failed attempts, the seconds left, and whether a request waits. Returns the pause, or None.
RetryDelay = Callable[[int, float, bool], float | None]


@dataclass(frozen=True)
class Policy:
    """How a container reads the key while Parameter Store throttles.

    ``request``: seconds that a request waits for the key. ``keeps_count``: whether the read of a request continues to
    count failed attempts where the read during init stopped.
    """

    name: str
    next_attempt: RetryDelay
    request: float = CALL_TIMEOUT - RESERVED_FOR_STRIPE
    keeps_count: bool = True


SERVICE = Policy("the service", lambda failed, left, is_awaited: retry_delay(failed, left, is_awaited=is_awaited))


@dataclass(frozen=True)
class Timing:
    """Durations in seconds that real containers needed.

    ``first_read``: from the purchase until the new process sends its first read. ``imports``: from the first
    read until the end of the imports. ``read``, ``throttled_read``: one read. ``purchase``: one with the key present.
    """

    first_read: Sequence[float]
    imports: Sequence[float]
    read: Sequence[float]
    throttled_read: Sequence[float]
    purchase: Sequence[float]


@dataclass(frozen=True)
class Fleet:
    """Containers with one purchase each, at random times within ``within`` seconds, and the limit on their reads.

    ``burst``: the number of reads that Parameter Store allows at once after a pause; None for the reads of one second.
    """

    containers: int
    within: float
    reads_per_second: float
    burst: float | None = None


@dataclass
class Purchase:
    """One purchase of a fleet: the seconds from the request to its first response and to its payment, the number of 503
    responses, and the number of its container's reads.
    """

    arrived: float
    responded: float = 0.0
    paid: float = 0.0
    unavailable: int = 0
    reads: int = 0


@dataclass(frozen=True)
class Outcome:
    """The purchases of a fleet, its successful reads, and the number of throttled reads in each second."""

    purchases: list[Purchase]
    successful_reads: int
    throttled: Counter[int]


def arrivals(fleet: Fleet, seed: int) -> list[float]:
    """Return the times of a fleet's purchases in order. The same seed gives the same times."""
    rng = random.Random(seed)
    return sorted(rng.uniform(0, fleet.within) for _ in range(fleet.containers))


def simulate(
    fleet: Fleet,
    timing: Timing,
    *,
    policy: Policy = SERVICE,
    seed: int = 0,
    jitter: int = 0,
) -> Outcome:
    """Simulate a fleet. Every purchase that gets a 503 is repeated after its Retry-After until it is paid.

    :param policy: the service's, or another to compare with.
    :param seed: for the times of the purchases.
    :param jitter: seeds the ``random`` module, which the policy uses, for everything else.
    """
    random.seed(f"{seed} {jitter}")
    now = 0.0
    bucket = TokenBucket(fleet.reads_per_second, lambda: now, burst=fleet.burst)  # its clock is the simulated time
    purchases = [Purchase(arrived) for arrived in arrivals(fleet, seed)]
    successful, throttled = 0, Counter[int]()
    reads: list[tuple[float, int, _Container]] = []
    for number, purchase in enumerate(purchases):
        started = purchase.arrived + timing.first_read[number % len(timing.first_read)]
        container = _container(purchase, started, timing, policy)
        heapq.heappush(reads, (next(container), number, container))
    while reads:
        now, number, container = heapq.heappop(reads)
        success = bucket.take()
        successful += success
        throttled[int(now)] += not success
        try:
            heapq.heappush(reads, (container.send(success), number, container))
        except StopIteration:
            continue
    return Outcome(purchases, successful, +throttled)  # unary plus drops the seconds without throttled reads


# Yields the time of its next read, and receives whether the read was successful.
_Container = Generator[float, bool, None]


def _container(purchase: Purchase, started: float, timing: Timing, policy: Policy) -> _Container:
    """Simulate a container: init with its read, then the request, repeated until it is paid."""
    failed, now, success = yield from _read(purchase, timing, policy, started, INIT_READ_TIMEOUT, 0)
    now = max(now, started + random.choice(timing.imports))
    while not success:
        failed, now, success = yield from _read(purchase, timing, policy, now, policy.request, failed)
        if not success:
            purchase.unavailable += 1
            purchase.responded = purchase.responded or now - purchase.arrived
            now += KEY_RETRY_AFTER
    purchase.paid = now + random.choice(timing.purchase) - purchase.arrived
    purchase.responded = purchase.responded or purchase.paid


def _read(
    purchase: Purchase, timing: Timing, policy: Policy, now: float, limit: float, failed: int
) -> Generator[float, bool, tuple[int, float, bool]]:
    """Read as the service does: repeat the attempt until one succeeds, or until no attempt fits before the deadline."""
    deadline = now + limit
    failed = failed if policy.keeps_count else 0
    while True:
        purchase.reads += 1
        success = yield now
        now += random.choice(timing.read if success else timing.throttled_read)
        if success:
            return 0, now, True
        failed += 1
        wait = policy.next_attempt(failed, deadline - now, limit != INIT_READ_TIMEOUT)
        if wait is None:
            return failed, now, False
        now += wait
