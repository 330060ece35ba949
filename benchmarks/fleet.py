"""`make bench-fleet`: starts a thousand cold containers while Parameter Store allows 40 reads per second.

As many containers as this machine can run are real, and the others are simulated. The fleet of real containers is also
simulated, to show that both agree. A smaller fleet gets a proportionally smaller limit, so that it is no easier.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.fleet_containers import STRIPE, Run, Testbed, max_containers
from benchmarks.fleet_simulation import INIT_READ_TIMEOUT, SERVICE, Fleet, Outcome, Policy, Purchase, Timing, simulate
from benchmarks.tables import table

CONTAINERS, WITHIN = 1000, 10.0  # the fleet, and the seconds of its purchases
DEFAULT, RAISED = 40, 1000  # Parameter Store's limits in reads per second
TIMEOUT = 29.0  # API Gateway's, in seconds
MOST_UNAVAILABLE = 0.005  # the share of purchases that may get a 503
SIMULATIONS, BATCHES = 20, 4  # simulations of each fleet, and runs of a real one
PAGE = Path(__file__).resolve().parent.parent / "docs" / "fleet.md"
_BEGIN, _END = "<!-- make bench-fleet: from here -->", "<!-- make bench-fleet: to here -->"
_COLUMNS = ["purchases", f"within {TIMEOUT:g} s", "got a 503", "median", "p99", "slowest", "reads each"]


class FleetError(Exception):
    """The service does not meet its requirements; the message lists the violations."""


def _capped(longest: float, request: float, reserve: float, name: str) -> Policy:
    """Return the usual policy: exponential backoff from 0.1 s up to a cap, full jitter, restarted in each request.

    :param longest: the cap in seconds.
    :param request: seconds that a request waits.
    :param reserve: seconds reserved for the last attempt.
    """

    def next_attempt(failed: int, left: float, _is_awaited: bool) -> float | None:
        wait = random.uniform(0, min(0.1 * 2.0 ** min(failed - 1, 16), longest))
        return wait if wait + reserve <= left else None

    return Policy(name, next_attempt, request, keeps_count=False)


_LIMIT = f"{SERVICE.request:g} s"
POLICIES = [
    _capped(1.0, INIT_READ_TIMEOUT, 1.5, "3 s in init, 3 s in a request, pauses up to 1 s (the first version)"),
    _capped(1.0, SERVICE.request, 0.25, f"{_LIMIT} in a request, pauses up to 1 s"),
    _capped(4.0, SERVICE.request, 0.25, f"{_LIMIT} in a request, pauses up to 4 s"),
    replace(SERVICE, name="the service's pauses, 14 s in a request", request=14.0),
    replace(SERVICE, name="the service's pauses, 16 s in a request", request=16.0),
    replace(SERVICE, name=f"**the service**: {_LIMIT}, pauses up to 4 s that shrink in the last 6 s"),
]


def report(containers: int) -> Iterator[str]:
    """Measure and simulate a fleet; yield the figures for docs/fleet.md part by part.

    :raises FleetError: the service does not meet its requirements. All parts were yielded before.
    """
    share = DEFAULT / CONTAINERS
    with tempfile.TemporaryDirectory() as folder, Testbed(Path(folder)) as testbed:
        timing, cpu = testbed.calibrate()
        count = min(containers, max_containers(cpu, WITHIN))
        yield _calibration(timing, cpu, count)
        fleets = [
            (Fleet(count, WITHIN, count * share), max(1, min(BATCHES, containers // count))),
            (Fleet(count, WITHIN, count * RAISED / CONTAINERS), 1),
        ]
        measured = [(fleet, [testbed.run(fleet, seed) for seed in range(times)]) for fleet, times in fleets]
    yield table(["", *_COLUMNS], [row for fleet, runs in measured for row in _measured_rows(fleet, runs, timing)])
    all_runs = [run for _, runs in measured for run in runs]
    yield _charges(all_runs)
    fleet = Fleet(containers, WITHIN, containers * share)
    throttled = _simulate(SIMULATIONS, fleet, timing)
    yield from _simulations(fleet, timing, throttled)
    _check(all_runs, throttled if containers == CONTAINERS else [])  # in a small fleet one 503 is too large a share


def _simulations(fleet: Fleet, timing: Timing, throttled: Sequence[Outcome]) -> Iterator[str]:
    raised = replace(fleet, reads_per_second=fleet.reads_per_second * RAISED / DEFAULT)
    yield f"### {fleet.containers:,} cold containers within {WITHIN:g} s, simulated"
    both = [(fleet, throttled), (raised, _simulate(SIMULATIONS, raised, timing))]
    yield table(["", *_COLUMNS], [_row(f"{each.reads_per_second:g} reads per second", runs) for each, runs in both])
    yield _throttling(throttled[0])
    yield f"### Other policies, at {fleet.reads_per_second:g} reads per second"
    rows = [_row(policy.name, _simulate(SIMULATIONS, fleet, timing, policy)) for policy in POLICIES]
    yield table(["how a container waits", *_COLUMNS], rows)
    yield "### Other conditions"
    slower = replace(timing, read=[0.1], throttled_read=[0.1])
    shared = replace(fleet, reads_per_second=0.9 * fleet.reads_per_second)
    fifth = replace(fleet, containers=int(fleet.containers / 5) or 1, within=1)
    conditions = {
        "Parameter Store takes 0.1 s per read": (fleet, slower),
        "no burst of reads is allowed": (replace(fleet, burst=1), timing),
        "other functions use a tenth of the reads": (shared, timing),
        "all within one second": (replace(fleet, within=1), timing),
        "a fifth of the containers within one second": (fifth, timing),
        "twice as many containers": (replace(fleet, containers=2 * fleet.containers), timing),
    }
    yield table(["", *_COLUMNS], [_row(name, _simulate(5, *condition)) for name, condition in conditions.items()])


def _simulate(times: int, fleet: Fleet, timing: Timing, policy: Policy = SERVICE) -> list[Outcome]:
    return [simulate(fleet, timing, policy=policy, seed=seed) for seed in range(times)]


def _measured_rows(fleet: Fleet, runs: Sequence[Run], timing: Timing) -> Iterator[list[str]]:
    """Yield the row of real fleets, and that of their simulation, whose containers start as late as the real ones."""
    yield _row(f"real, {fleet.reads_per_second:.3g} reads per second", runs)
    simulations = [
        simulate(fleet, replace(timing, first_read=run.first_reads), seed=seed, jitter=jitter)
        for seed, run in enumerate(runs)
        for jitter in range(SIMULATIONS)
    ]
    yield _row("the same, simulated", simulations)


def _row(name: str, fleets: Sequence[Run | Outcome]) -> list[str]:
    """Format fleets of one size as a table row. All seconds are from the request to the first response."""
    purchases = _all_purchases(fleets)
    size, count = len(fleets[0].purchases), len(purchases)
    responded = sorted(purchase.responded for purchase in purchases)
    unavailable = [sum(purchase.unavailable > 0 for purchase in fleet.purchases) for fleet in fleets]
    worst = f", at most {max(unavailable) / size:.2%}" if any(unavailable) and len(fleets) > 1 else ""
    return [
        name,
        f"{len(fleets)} times {size}" if len(fleets) > 1 else str(size),
        f"{100 * sum(seconds <= TIMEOUT for seconds in responded) / count:.4g}%",
        f"{sum(unavailable) / count:.2%}{worst}",
        f"{statistics.median(responded):.1f} s",
        f"{responded[int(0.99 * (count - 1))]:.1f} s",
        f"{responded[-1]:.1f} s",
        f"{sum(purchase.reads for purchase in purchases) / count:.1f}",
    ]


def _all_purchases(fleets: Sequence[Run | Outcome]) -> list[Purchase]:
    return [purchase for fleet in fleets for purchase in fleet.purchases]


def _check(runs: Sequence[Run], throttled: Sequence[Outcome]) -> None:
    violations = [
        f"{len(run.purchases)} purchases made {run.charges} charges"
        for run in runs
        if run.charges != len(run.purchases)
    ]
    purchases = _all_purchases(throttled)
    unavailable = sum(purchase.unavailable > 0 for purchase in purchases)
    if unavailable > len(purchases) * MOST_UNAVAILABLE:
        violations.append(f"{unavailable} of {len(purchases)} purchases got a 503")
    if late := sum(purchase.responded > TIMEOUT for purchase in purchases):
        violations.append(f"{late} of {len(purchases)} purchases took longer than {TIMEOUT:g} s")
    if violations:
        raise FleetError("; ".join(violations))


def _calibration(timing: Timing, cpu: float, count: int) -> str:
    milliseconds = {
        "from process start to the first read": timing.first_read,
        "from there to the end of the imports": timing.imports,
        "per read": timing.read,
        "per throttled read": timing.throttled_read,
    }
    medians = ", ".join(f"{1000 * statistics.median(values):.0f} ms {name}" for name, values in milliseconds.items())
    return (
        f"One container alone, medians: {medians}, {statistics.median(timing.purchase):.2f} s per purchase (the Stripe "
        f"emulator takes {STRIPE:g} s of it). A container uses {cpu:.2f} s of CPU, so {count} containers within "
        f"{WITHIN:g} s are real."
    )


def _charges(runs: Sequence[Run]) -> str:
    purchases = _all_purchases(runs)
    repeated = sum(purchase.unavailable > 0 for purchase in purchases)
    return (
        f"Of {len(purchases)} real purchases, {repeated} got a 503 and were repeated with the same Idempotency-Key. "
        f"The Stripe emulator made {sum(run.charges for run in runs)} charges."
    )


def _throttling(outcome: Outcome) -> str:
    """Describe the effect on other readers of the same account's parameters."""
    throttled, worst = outcome.throttled.total(), max(outcome.throttled.values(), default=0)
    last = max(outcome.throttled, default=0)
    return (
        f"Parameter Store throttles {throttled} reads within {last + 1} s, at most {worst} in one second: "
        f"{throttled / (throttled + outcome.successful_reads):.0%} of all. Other readers of parameters in this account "
        "and region are throttled as often."
    )


def main() -> None:
    """Print the figures, and write those of the full fleet into docs/fleet.md."""
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description="Start a fleet of cold containers.")
    parser.add_argument("--containers", type=int, default=CONTAINERS, help="size of the fleet (default: %(default)s)")
    containers = parser.parse_args().containers
    if containers < 1:
        parser.error("--containers must be at least 1")
    started = time.monotonic()
    parts = []
    try:
        for part in report(containers):
            print(f"{part}\n", flush=True)
            parts.append(part)
    except FleetError as error:
        sys.exit(f"benchmarks.fleet: {error}")
    print(f"This took {time.monotonic() - started:.0f} s.")
    if containers == CONTAINERS:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
        text = "\n\n".join([before + _BEGIN, *parts, _END + rest.partition(_END)[2]])
        PAGE.write_text(text, encoding="utf-8")
        print(f"Written into {PAGE.relative_to(PAGE.parent.parent)}.")


if __name__ == "__main__":
    main()
