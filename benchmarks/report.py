"""Figures -> docs/performance.md and its chart."""

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bill, build, chart
from benchmarks.build import OBVIOUS, OURS, TUNED, Rival
from benchmarks.cold import Cold
from benchmarks.telemetry import Cost
from benchmarks.warm import Warm

_PAGE = Path(__file__).with_name("page.md")
MB = 1e6


@dataclass(frozen=True)
class Figures:
    """All that was measured in one run; ``loopback``, ``region``, ``warm`` and ``warm_tls`` by a rival's name."""

    rivals: Sequence[Rival]
    skipped: Sequence[str]
    runs: int
    loopback: dict[str, Cold]
    region: dict[str, Cold]
    warm: dict[str, Warm]
    warm_tls: dict[str, Warm]
    many: int
    memory_after_many: float
    telemetry: Cost
    configured_memory: int


def page(figures: Figures) -> str:
    """Return docs/performance.md."""
    ours, ours_warm = figures.region[OURS.name], figures.warm[OURS.name]
    costs = [bill.at(memory, ours, figures.warm_tls[OURS.name].cpu) for memory in bill.MEMORY]
    chosen = bill.chosen(costs)
    values = {
        "when": f"{datetime.date.today():%-d %B %Y}",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "python": f"CPython {platform.python_version()}",
        "node": _node(),
        "runs": str(figures.runs),
        "cold_table": _cold_table(figures),
        "warm_table": _warm_table(figures),
        **_ratios(figures),
        "instructions": _instructions(figures),
        "many": f"{figures.many:,}",
        "memory_many": f"{figures.memory_after_many:.1f}",
        "memory_one": f"{ours_warm.memory[1]:.1f}",
        "telemetry_import": f"{figures.telemetry.imported:.1f}",
        "telemetry_request": f"{figures.telemetry.request:.3f}",
        "telemetry_traced": f"{figures.telemetry.traced:.3f}",
        "prices": bill.LOOKED_UP,
        "x86": f"{bill.GB_SECOND['x86']:.10f}",
        "arm": f"{bill.GB_SECOND['arm']:.10f}",
        "requests": f"{bill.MILLION_REQUESTS:.2f}",
        "stripe_ms": f"{bill.STRIPE_SECONDS * 1000:.0f}",
        "gateway_ms": f"{bill.GATEWAY_SECONDS * 1000:.0f}",
        "cold_share": f"{bill.COLD_SHARE * 100:.0f}",
        "bill_table": _bill_table(figures, costs),
        "rest_table": _rest_table(),
        "total": f"{chosen.arm + sum(bill.rest().values()):.2f}",
        "chosen": str(chosen.memory),
        "configured": str(figures.configured_memory),
        "skipped": "".join(f"- {line}.\n" for line in figures.skipped),
    }
    return _PAGE.read_text(encoding="utf-8").format(**values).rstrip() + "\n"


def write(text: str, figures: Figures, folder: Path) -> None:
    """Write the page and its chart.

    :param folder: ``docs``.
    """
    rows = [
        (rival.title.replace("`", ""), figures.loopback[rival.name].wall, figures.region[rival.name].wall)
        for rival in figures.rivals
    ]
    title = "Milliseconds from the start of the process to the first answer"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    drawn = chart.bars(title, ("loopback", "near: TLS, answers after 10 ms"), rows)
    (folder / "images" / "cold-start.svg").write_text(drawn, encoding="utf-8")
    (folder / "performance.md").write_text(text, encoding="utf-8")


def _cold_table(figures: Figures) -> str:
    lines = ["| | loopback | CPU | near | CPU | zip, MB |", "|---|--:|--:|--:|--:|--:|"]
    for rival in figures.rivals:
        times = figures.loopback[rival.name], figures.region[rival.name]
        cells = " | ".join(f"{time.wall:.0f} | {time.cpu:.0f}" for time in times)
        lines.append(f"| {_name(rival)} | {cells} | {rival.zip_bytes / MB:.1f} |")
    return "\n".join(lines)


def _warm_table(figures: Figures) -> str:
    head = "| | CPU | CPU, TLS | reads of the key | calls to Stripe | connections to Stripe | MB after 1 | after 201 |"
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for rival in figures.rivals:
        warm, tls = figures.warm[rival.name], figures.warm_tls[rival.name]
        memory = " | ".join(f"{megabytes:.0f}" for megabytes in warm.memory.values())
        calls = f"{warm.parameter_store[0]} | {warm.stripe[0]} | {warm.stripe[1]}"
        lines.append(f"| {_name(rival)} | {warm.cpu:.2f} | {tls.cpu:.2f} | {calls} | {memory} |")
    return "\n".join(lines)


def _name(rival: Rival) -> str:
    return f"**{rival.title}**" if rival.name == OURS.name else rival.title


def _ratios(figures: Figures) -> dict[str, str]:
    found: dict[str, str] = {}
    node = [rival.name for rival in figures.rivals if rival.language == "node"]
    for prefix, cold in (("cold", figures.loopback), ("near", figures.region)):
        ours, obvious = cold[OURS.name], cold[OBVIOUS.name]
        found[f"{prefix}_node"] = f"{ours.wall / min(cold[name].wall for name in node):.2f}" if node else "no Node here"
        found[f"{prefix}_node_cpu"] = f"{ours.cpu / min(cold[name].cpu for name in node):.2f}" if node else "-"
        found[f"{prefix}_obvious"] = f"{ours.wall / obvious.wall:.2f}"
        found[f"{prefix}_obvious_cpu"] = f"{ours.cpu / obvious.cpu:.2f}"
    for prefix, warm in (("warm", figures.warm), ("tls", figures.warm_tls)):
        for rival in (OBVIOUS, TUNED):
            found[f"{prefix}_{rival.name}"] = f"{warm[OURS.name].cpu / warm[rival.name].cpu:.2f}"
    return found


def _instructions(figures: Figures) -> str:
    ours, tuned = figures.warm[OURS.name].instructions, figures.warm[TUNED.name].instructions
    if ours is None or tuned is None:
        return ""
    return f"It takes {ours:.2f} million instructions, and {tuned:.2f} million in the tuned app (callgrind).\n"


def _bill_table(figures: Figures, costs: Sequence[bill.Cost]) -> str:
    others = [rival for rival in figures.rivals if rival.name == OBVIOUS.name or rival.name == build.NODE_3.name]
    head = ["MB", "own part, cold, ms", "warm, ms", "x86, $", "arm, $", *(f"{rival.title}, arm, $" for rival in others)]
    lines = [f"| {' | '.join(head)} |", "|" + "--:|" * len(head)]
    for cost in costs:
        cells = [str(cost.memory), f"{cost.cold:.0f}", f"{cost.warm:.1f}", f"{cost.x86:.2f}", f"{cost.arm:.2f}"]
        for rival in others:
            same = bill.at(cost.memory, figures.region[rival.name], figures.warm_tls[rival.name].cpu)
            cells.append(f"{same.arm:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rest_table() -> str:
    lines = ["| | $ |", "|---|--:|", *(f"| {what} | {dollars:.2f} |" for what, dollars in bill.rest().items())]
    return "\n".join(lines)


def _node() -> str:
    try:
        done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f", Node {done.stdout.strip()}"
