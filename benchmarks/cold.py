"""Measures cold starts: from the start of a process to its first response."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.build import Rival
from benchmarks.harness import Container, Network, Upstreams


@dataclass(frozen=True)
class Cold:
    """Medians in milliseconds: elapsed time, and CPU time of all cores.

    ``waited``: the smallest difference between the two, which is the wait for the upstreams, not for a busy machine.
    """

    wall: float
    cpu: float
    waited: float


def measure(rivals: Sequence[Rival], network: Network, runs: int) -> dict[str, Cold]:
    """Start every rival in turn, ``runs`` times, after one more round that warms the file cache.

    :return: by the rival's name.
    """
    times: dict[str, list[tuple[float, float]]] = {rival.name: [] for rival in rivals}
    with Upstreams(network) as upstreams:
        for _ in range(runs + 1):
            for rival in rivals:
                with Container(rival, upstreams.environment(rival)) as container:
                    container.purchase()
                    wall = time.perf_counter() - container.started_at
                    times[rival.name].append((wall * 1000, container.kill() * 1000))
    return {name: _summarize(rounds[1:]) for name, rounds in times.items()}


def _summarize(rounds: list[tuple[float, float]]) -> Cold:
    walls, cpus = zip(*rounds, strict=True)
    waited = min(wall - cpu for wall, cpu in rounds)
    return Cold(statistics.median(walls), statistics.median(cpus), max(0.0, waited))
