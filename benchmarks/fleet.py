"""`make bench-fleet`: a thousand cold containers at once, and a Parameter Store that gives 40 a second their key.

As many containers as this machine holds are real, the rest are simulated; a fleet of the real ones is simulated too, to
show that both agree. A smaller fleet meets a limit that is smaller in proportion, so that it is as hard for it.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.fleet_containers import STRIPE, Lab, Run, held_by_this_machine
from benchmarks.fleet_simulation import INIT, SERVICE, Fleet, Outcome, Policy, Purchase, Timing, simulate

CONTAINERS, WITHIN = 1000, 10.0  # so many in so many seconds
DEFAULT, RAISED = 40, 1000  # reads a second that Parameter Store gives
IN_TIME = 29.0  # seconds after which API Gateway gives up
MOST_TOLD = 0.5  # percent of the fleet that may be told to come back
SIMULATED, BATCHES = 20, 4  # times each fleet is simulated, and real ones are run
PAGE = Path(__file__).resolve().parent.parent / "docs" / "fleet.md"
_BEGIN, _END = "<!-- make bench-fleet: from here -->", "<!-- make bench-fleet: to here -->"

_HEAD = ["", "purchases", "in time", "told to come back", "median", "99 of 100", "slowest", "reads each"]


def capped(longest: float, request: float, reserve: float, name: str) -> Policy:
    """Return the usual policy: exponential backoff from 0.1 s up to a cap, full jitter, a fresh start in a request.

    :param longest: the cap in seconds.
    :param request: seconds for which a request waits.
    :param reserve: seconds kept for the last attempt.
    """

    def next_attempt(failed: int, left: float, _patient: bool) -> float | None:
        wait = random.uniform(0, min(0.1 * 2.0 ** min(failed - 1, 16), longest))
        return wait if wait + reserve <= left else None

    return Policy(name, next_attempt, request, remembers=False)


def _unlike(name: str, request: float) -> Policy:
    return replace(SERVICE, name=name, request=request)


POLICIES = [
    capped(1.0, INIT, 1.5, "3 s in init, 3 s in a request, pauses up to 1 s (as it was)"),
    capped(1.0, SERVICE.request, 0.25, f"{SERVICE.request:g} s in a request, pauses up to 1 s"),
    capped(4.0, SERVICE.request, 0.25, f"{SERVICE.request:g} s in a request, pauses up to 4 s"),
    _unlike("the service's pauses, 14 s in a request", 14.0),
    _unlike("the service's pauses, 16 s in a request", 16.0),
    replace(SERVICE, name=f"**the service**: {SERVICE.request:g} s, pauses up to 4 s that shrink in the last 6 s"),
]


def row(name: str, fleets: Sequence[Sequence[Purchase]], reads: int) -> list[str]:
    """Return fleets of one size as a row of a table: who was answered when, each second counted from the request.

    :param fleets: each one's purchases.
    :param reads: how many Parameter Store got from all of them.
    """
    size, count = len(fleets[0]), sum(map(len, fleets))
    answered = sorted(purchase.answered for purchases in fleets for purchase in purchases)
    in_time = sum(seconds <= IN_TIME for seconds in answered)
    told = [sum(purchase.told > 0 for purchase in purchases) for purchases in fleets]
    worst = f", at worst {100 * max(told) / size:.2f} %" if any(told) and len(told) > 1 else ""
    return [
        name,
        f"{len(fleets)} times {size}" if len(fleets) > 1 else str(size),
        f"{100 * in_time / count:.4g} %",
        f"{100 * sum(told) / count:.2f} %{worst}",
        f"{statistics.median(answered):.1f} s",
        f"{answered[int(0.99 * (count - 1))]:.1f} s",
        f"{answered[-1]:.1f} s",
        f"{reads / count:.1f}",
    ]


def simulated(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    """Return simulated fleets as a row."""
    fleets = [outcome.purchases for outcome in outcomes]
    return row(name, fleets, sum(purchase.reads for purchases in fleets for purchase in purchases))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, with its columns aligned so that it reads well in a terminal too."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])


@dataclass(frozen=True)
class Measured:
    """Real fleets at one limit, and the same ones in the simulation, as late in starting as the real ones were."""

    fleet: Fleet
    runs: list[Run]
    imitations: list[Outcome]

    @property
    def rows(self) -> list[list[str]]:
        """Both, as rows of a table."""
        real = row(
            f"real ones, {self.fleet.reads_per_second:.3g} reads a second",
            [run.purchases for run in self.runs],
            sum(run.reads for run in self.runs),
        )
        return [real, simulated("the same, simulated", self.imitations)]


def measure(lab: Lab, quiet: Timing, fleet: Fleet, batches: int) -> Measured:
    """Run a fleet for real, so many times, and simulate each of these times."""
    runs = [lab.run(fleet, seed) for seed in range(batches)]
    imitations = [
        simulate(fleet, replace(quiet, read=run.read), seed=seed, jitter=jitter)
        for seed, run in enumerate(runs)
        for jitter in range(SIMULATED)
    ]
    return Measured(fleet, runs, imitations)


def report(containers: int) -> Iterator[str]:
    """Measure and simulate; yield what goes into docs/fleet.md, part by part.

    :param containers: the fleet's size.
    :raises Missed: the service does not do what it must. All parts were yielded.
    """
    share = DEFAULT / CONTAINERS
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab:
        quiet, cpu = lab.calibrate()
        count = min(containers, held_by_this_machine(cpu, WITHIN))
        yield _calibration(quiet, cpu, count)
        some = Fleet(count, WITHIN, count * share)
        slow = measure(lab, quiet, some, max(1, min(BATCHES, containers // count)))
        fast = measure(lab, quiet, replace(some, reads_per_second=count * share * RAISED / DEFAULT), 1)
    yield table(_HEAD, slow.rows + fast.rows)
    runs = slow.runs + fast.runs
    yield _charged(runs)

    fleet = Fleet(containers, WITHIN, containers * share)
    throttled = _times(SIMULATED, fleet, quiet)
    yield from _simulations(fleet, quiet, throttled)
    _check(runs, throttled if containers == CONTAINERS else [])  # a small fleet's share is of whole containers


def _simulations(fleet: Fleet, quiet: Timing, throttled: Sequence[Outcome]) -> Iterator[str]:
    raised = replace(fleet, reads_per_second=fleet.reads_per_second * RAISED / DEFAULT)
    yield f"### {fleet.containers:,} cold containers within {WITHIN:g} s, simulated"
    both = [(fleet, throttled), (raised, _times(SIMULATED, raised, quiet))]
    yield table(_HEAD, [simulated(f"{each.reads_per_second:g} reads a second", outcomes) for each, outcomes in both])
    yield _others(throttled[0])
    yield f"### What else was tried, at {fleet.reads_per_second:g} reads a second"
    tried = [simulated(policy.name, _times(SIMULATED, fleet, quiet, policy)) for policy in POLICIES]
    yield table(["how a container waits", *_HEAD[1:]], tried)
    yield "### What changes it"
    changes = _changes(fleet, quiet)
    yield table(_HEAD, [simulated(name, _times(5, other, timing)) for name, other, timing in changes])


def _times(count: int, fleet: Fleet, timing: Timing, policy: Policy = SERVICE) -> list[Outcome]:
    return [simulate(fleet, timing, policy=policy, seed=seed) for seed in range(count)]


class Missed(Exception):
    """The service does not do what it must; the message says what."""


def _check(runs: Sequence[Run], throttled: Sequence[Outcome]) -> None:
    wrong = [
        f"{len(run.purchases)} purchases made {run.charges} charges"
        for run in runs
        if run.charges != len(run.purchases)
    ]
    purchases = [purchase for outcome in throttled for purchase in outcome.purchases]
    told = sum(purchase.told > 0 for purchase in purchases)
    if told > len(purchases) * MOST_TOLD / 100:
        wrong.append(f"{told} of {len(purchases)} are told to come back")
    if late := sum(purchase.answered > IN_TIME for purchase in purchases):
        wrong.append(f"{late} of {len(purchases)} purchases are answered after {IN_TIME:g} s")
    if wrong:
        raise Missed("; ".join(wrong))


def _charged(runs: Sequence[Run]) -> str:
    bought = sum(len(run.purchases) for run in runs)
    told = sum(purchase.told > 0 for run in runs for purchase in run.purchases)
    return (
        f"Of {bought} real purchases {told} came back, with the same Idempotency-Key. Stripe's stand-in made "
        f"{sum(run.charges for run in runs)} charges."
    )


def _calibration(quiet: Timing, cpu: float, count: int) -> str:
    milliseconds = {
        "process start to the read": quiet.read,
        "from there to the end of import": quiet.imports,
        "a read": quiet.given,
        "a refused read": quiet.throttled,
    }
    said = ", ".join(f"{name} {1000 * statistics.median(values):.0f} ms" for name, values in milliseconds.items())
    return (
        f"One container alone (medians): {said}; a purchase {statistics.median(quiet.purchase):.2f} s, of which the "
        f"stand-in for Stripe takes {STRIPE:g} s. A container takes {cpu:.2f} s of CPU: {count} within "
        f"{WITHIN:g} s are real here."
    )


def _changes(fleet: Fleet, quiet: Timing) -> list[tuple[str, Fleet, Timing]]:
    scale = fleet.containers / CONTAINERS
    slow = replace(quiet, given=[0.1], throttled=[0.1])
    return [
        ("Parameter Store takes 0.1 s to answer", fleet, slow),
        ("it saves up no reads for a burst", replace(fleet, burst=1), quiet),
        (
            "other functions take a tenth of its reads",
            replace(fleet, reads_per_second=0.9 * fleet.reads_per_second),
            quiet,
        ),
        ("all within a second", replace(fleet, within=1), quiet),
        ("a fifth of them, within a second", replace(fleet, containers=int(200 * scale) or 1, within=1), quiet),
        ("twice as many", replace(fleet, containers=2 * fleet.containers), quiet),
    ]


def _others(outcome: Outcome) -> str:
    """Say what somebody else meets who reads a parameter of the same account meanwhile."""
    refused, worst = outcome.refused.total(), max(outcome.refused.values(), default=0)
    last = max(outcome.refused, default=0)
    share = 100 * refused / (refused + outcome.given)
    return (
        f"Meanwhile Parameter Store refuses {refused} reads within {last + 1} s, at most {worst} in a second: "
        f"{share:.0f} % of all. Whatever else reads parameters in this account and region meets the same."
    )


def main() -> None:
    """Print the report, and write it into docs/fleet.md if the fleet is whole."""
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description="Start a fleet of cold containers.")
    parser.add_argument("--containers", type=int, default=CONTAINERS, help="the fleet's size (%(default)s)")
    containers = parser.parse_args().containers
    if containers < 1:
        parser.error("a fleet has at least one container")
    begun = time.monotonic()
    parts = []
    try:
        for part in report(containers):
            print(f"{part}\n", flush=True)
            parts.append(part)
    except Missed as missed:
        sys.exit(f"benchmarks.fleet: {missed}")
    print(f"That took {time.monotonic() - begun:.0f} s.")
    if containers == CONTAINERS:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
        text = "\n\n".join([before + _BEGIN, *parts, _END + rest.partition(_END)[2]])
        PAGE.write_text(text, encoding="utf-8")
        print(f"Written into {PAGE.relative_to(PAGE.parent.parent)}.")


if __name__ == "__main__":
    main()
