"""Writes docs/performance.md and its chart."""

import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bill, chart
from benchmarks.build import NODE_2, NODE_3, OBVIOUS, OURS, TUNED, Rival
from benchmarks.cold import Cold
from benchmarks.tables import table
from benchmarks.telemetry import Cost
from benchmarks.warm import Warm

_PAGE = Path(__file__).with_name("page.md")


@dataclass(frozen=True)
class Figures:
    """The results of one run. Dictionaries are by the rival's name.

    ``instructions``: millions per purchase, where they were counted. ``many``: purchases before ``memory_after_many``.
    """

    rivals: Sequence[Rival]
    skipped: Sequence[str]
    runs: int
    loopback: dict[str, Cold]
    region: dict[str, Cold]
    warm: dict[str, Warm]
    warm_tls: dict[str, Warm]
    instructions: dict[str, float | None]
    many: int
    memory_after_many: float
    telemetry: Cost
    configured_memory: int


def page(figures: Figures) -> str:
    """Return the text of docs/performance.md."""
    costs = [_lambda_cost(memory, OURS, figures) for memory in bill.MEMORY]
    chosen = bill.choose(costs)
    values = {
        "figures": figures,
        "bill": bill,
        "when": f"{datetime.date.today():%-d %B %Y}",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": f"CPython {platform.python_version()}{_node_version()}",
        "cold_table": _cold_table(figures),
        "cold_ratios": _cold_ratios(figures),
        "warm_table": _warm_table(figures),
        "warm_ratio": _warm_ratio(figures.warm),
        "tls_ratio": _warm_ratio(figures.warm_tls),
        "instructions": _instructions(figures.instructions),
        "memory_after_one": figures.warm[OURS.name].memory[1],
        "bill_table": _bill_table(figures, costs),
        "other_costs": table(["", "$"], [[item, f"{dollars:.2f}"] for item, dollars in bill.OTHER_COSTS.items()]),
        "total": chosen.arm + sum(bill.OTHER_COSTS.values()),
        "chosen": chosen.memory,
        "skipped": "".join(f"- {line}.\n" for line in figures.skipped),
    }
    return _PAGE.read_text(encoding="utf-8").format(**values).rstrip() + "\n"


def write(text: str, figures: Figures, docs: Path) -> None:
    """Write the page and its chart into the folder ``docs``."""
    rows = [
        (rival.title.replace("`", ""), figures.loopback[rival.name].wall, figures.region[rival.name].wall)
        for rival in figures.rivals
    ]
    title = "Milliseconds from the start of the process to the first response"
    (docs / "images").mkdir(parents=True, exist_ok=True)
    svg = chart.bars(title, ("loopback", "near: TLS, responses after 10 ms"), rows)
    (docs / "images" / "cold-start.svg").write_text(svg, encoding="utf-8")
    (docs / "performance.md").write_text(text, encoding="utf-8")


def _cold_table(figures: Figures) -> str:
    rows = []
    for rival in figures.rivals:
        times = figures.loopback[rival.name], figures.region[rival.name]
        cells = [f"{value:.0f}" for cold in times for value in (cold.wall, cold.cpu)]
        rows.append([_title(rival), *cells, f"{rival.archive.stat().st_size / 1e6:.1f}"])
    return table(["", "loopback", "CPU", "near", "CPU", "zip, MB"], rows)


def _cold_ratios(figures: Figures) -> str:
    groups = {"the fastest in Node": (NODE_2, NODE_3), "the obvious Chalice app": (OBVIOUS,)}
    rows = []
    for label, group in groups.items():
        rivals = [rival for rival in group if rival in figures.rivals]
        if rivals:
            rows.append([f"relative to {label}", _ratio(figures.loopback, rivals), _ratio(figures.region, rivals)])
    return table(["", "loopback", "near"], rows)


def _ratio(cold: dict[str, Cold], rivals: Sequence[Rival]) -> str:
    ours = cold[OURS.name]
    wall = ours.wall / min(cold[rival.name].wall for rival in rivals)
    cpu = ours.cpu / min(cold[rival.name].cpu for rival in rivals)
    return f"**{wall:.2f}** (CPU {cpu:.2f})"


def _warm_table(figures: Figures) -> str:
    rows = []
    for rival in figures.rivals:
        warm, tls = figures.warm[rival.name], figures.warm_tls[rival.name]
        calls = map(str, (warm.parameter_store[0], *warm.stripe))
        memory = (f"{megabytes:.0f}" for megabytes in warm.memory.values())
        rows.append([_title(rival), f"{warm.cpu:.2f}", f"{tls.cpu:.2f}", *calls, *memory])
    head = "CPU", "CPU, TLS", "reads of the key", "calls to Stripe", "connections to Stripe", "MB after 1", "after 201"
    return table(["", *head], rows)


def _warm_ratio(warm: dict[str, Warm]) -> dict[str, float]:
    return {rival.name: warm[OURS.name].cpu / warm[rival.name].cpu for rival in (OBVIOUS, TUNED)}


def _instructions(counted: dict[str, float | None]) -> str:
    ours, tuned = counted.get(OURS.name), counted.get(TUNED.name)
    if ours is None or tuned is None:
        return ""
    return f"A purchase takes {ours:.2f} million instructions, in the tuned app {tuned:.2f} million (callgrind).\n"


def _bill_table(figures: Figures, costs: Sequence[bill.Cost]) -> str:
    others = [rival for rival in (OBVIOUS, NODE_3) if rival in figures.rivals]
    rows = []
    for cost in costs:
        cells = [str(cost.memory), f"{cost.cold:.0f}", f"{cost.warm:.1f}", f"{cost.x86:.2f}", f"{cost.arm:.2f}"]
        rows.append([*cells, *(f"{_lambda_cost(cost.memory, rival, figures).arm:.2f}" for rival in others)])
    head = ["MB", "own time, cold, ms", "warm, ms", "x86, $", "arm, $"]
    return table([*head, *(f"{rival.title}, arm, $" for rival in others)], rows)


def _lambda_cost(memory: int, rival: Rival, figures: Figures) -> bill.Cost:
    return bill.lambda_cost(memory, figures.region[rival.name], figures.warm_tls[rival.name].cpu)


def _title(rival: Rival) -> str:
    return f"**{rival.title}**" if rival == OURS else rival.title


def _node_version() -> str:
    node = shutil.which("node")
    return f", Node {subprocess.check_output([node, '--version'], text=True).strip()}" if node else ""  # noqa: S603
