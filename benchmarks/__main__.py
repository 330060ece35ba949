"""Compares this service with other ways to build it: `make bench`, or `make bench RUNS=5` for a quick run.

All figures come from one run on one machine, so rely on their ratios.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks import build, cold, report, telemetry, warm
from benchmarks.harness import LOOPBACK, LOOPBACK_TLS, REGION, RivalError
from devstack.aws_emulator import leave_own_accounts

_QUICK = 10  # below this number of runs, nothing is written


def main() -> None:
    """Build, measure, print, and write docs/performance.md."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0] if __doc__ else None)
    runs_help = f"cold starts of each rival (default: %(default)s); with fewer than {_QUICK}, nothing is written"
    parser.add_argument("--runs", type=int, default=40, help=runs_help)
    parser.add_argument("--out", type=Path, default=build.PROJECT / "docs", help="the folder of performance.md")
    arguments = parser.parse_args()
    quick = arguments.runs < _QUICK
    leave_own_accounts()
    try:
        figures = _measure(max(1, arguments.runs), quick=quick)
    except (build.BuildError, RivalError) as error:
        sys.exit(f"benchmarks: {error}")
    page = report.page(figures)
    print(page)
    if quick:
        print(f"This was a quick run, so nothing was written. To write docs/performance.md, use {_QUICK} runs or more.")
        return
    report.write(page, figures, arguments.out)
    print(f"Written to {arguments.out / 'performance.md'}.")


def _measure(runs: int, *, quick: bool) -> report.Figures:
    rivals, skipped = build.build_all()
    _log("\n".join(skipped))
    many = 2_000 if quick else 20_000
    config = json.loads((build.PROJECT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    _log(f"measuring {runs} cold starts of each rival")
    loopback, region = cold.measure(rivals, LOOPBACK, runs), cold.measure(rivals, REGION, runs)
    _log(f"measuring warm containers, and memory over {many:,} purchases")
    return report.Figures(
        rivals=rivals,
        skipped=skipped,
        runs=runs,
        loopback=loopback,
        region=region,
        warm=warm.measure(rivals, LOOPBACK, quick=quick),
        warm_tls=warm.measure(rivals, LOOPBACK_TLS, quick=quick),
        # Node compiles while it runs, so its instructions are not the purchase's. In Python the best rival is enough.
        instructions={} if quick else {rival.name: warm.instructions(rival) for rival in (build.OURS, build.TUNED)},
        many=many,
        memory_after_many=warm.memory_after(many, build.OURS),
        telemetry=telemetry.measure(),
        configured_memory=config["lambda_memory_size"],
    )


def _log(message: str) -> None:
    if message:
        print(message, file=sys.stderr)


if __name__ == "__main__":
    main()
