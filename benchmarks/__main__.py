"""Compares this service with how others would build it: `make bench`, or `make bench RUNS=5` for a quick look.

Every figure is of one run on one machine: the ratios are what to go by.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks import build, cold, purchases, report, telemetry, warm
from benchmarks.harness import LOOPBACK, REGION, PeerFailed
from devstack.aws_emulator import leave_own_accounts

_QUICK = 10  # runs, below which nothing is written


def main() -> None:
    """Build, measure, print, and write docs/performance.md."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=40, help=f"cold starts of each peer; below {_QUICK} it is quick")
    parser.add_argument("--out", type=Path, default=build.PROJECT / "docs", help="the folder of performance.md")
    arguments = parser.parse_args()
    quick = arguments.runs < _QUICK
    leave_own_accounts()
    try:
        figures = _measure(max(1, arguments.runs), quick=quick)
    except (build.BuildError, PeerFailed) as error:
        sys.exit(f"benchmarks: {error}")
    page = report.page(figures)
    print(page)
    if quick:
        print("A quick run: nothing is written.")
        return
    report.write(page, figures, arguments.out)
    print(f"written to {arguments.out / 'performance.md'}")


def _measure(runs: int, *, quick: bool) -> report.Figures:
    peers, skipped = build.build_all()
    for line in skipped:
        print(line, file=sys.stderr)
    answers = purchases.upstream_answers()
    many = 2_000 if quick else 20_000
    _say(f"cold starts, {runs} of each")
    loopback = cold.measure(peers, LOOPBACK, runs, answers)
    region = cold.measure(peers, REGION, runs, answers)
    _say("warm containers")
    warm_loopback = warm.measure(peers, LOOPBACK, answers, quick=quick)
    warm_tls = warm.measure(peers, REGION.without_delay(), answers, quick=quick, counted=False)
    _say(f"memory over {many:,} purchases")
    config = json.loads((build.PROJECT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    return report.Figures(
        peers=peers,
        skipped=skipped,
        runs=runs,
        loopback=loopback,
        region=region,
        warm=warm_loopback,
        warm_tls=warm_tls,
        many=many,
        memory_after_many=warm.memory_over(many, build.OURS, answers),
        telemetry=telemetry.measure(),
        configured_memory=config["lambda_memory_size"],
    )


def _say(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
