"""From the start of a process to its first answer."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import purchases
from benchmarks.build import Rival
from benchmarks.harness import Container, Network, Upstreams


@dataclass(frozen=True)
class Cold:
    """Medians, in milliseconds: of the clock, and of what all cores together computed.

    ``waited``: the least that the clock was ahead of the computing, which is the upstreams' part and not the machine's.
    """

    wall: float
    cpu: float
    waited: float


def measure(rivals: Sequence[Rival], network: Network, runs: int, answers: Sequence[str]) -> dict[str, Cold]:
    """Start every rival in turn, so often, with one round more before that warms the file cache.

    :return: by rival's name.
    """
    event = purchases.event()
    walls: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    cpus: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    with Upstreams(network, answers) as upstreams:
        for run in range(runs + 1):
            for rival in rivals:
                with Container(rival, upstreams.environment(rival)) as container:
                    container.purchase(event)
                    wall, cpu = container.since_start(), container.end()
                if run:
                    walls[rival.name].append(wall * 1000)
                    cpus[rival.name].append(cpu * 1000)
    return {
        name: Cold(
            statistics.median(walls[name]),
            statistics.median(cpus[name]),
            max(0.0, min(wall - cpu for wall, cpu in zip(walls[name], cpus[name], strict=True))),
        )
        for name in walls
    }
