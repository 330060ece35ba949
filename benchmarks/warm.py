"""Measures warm containers: CPU time and instructions per purchase, memory, and calls to the upstreams."""

import re
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.build import Rival
from benchmarks.harness import LOOPBACK, Container, Network, Upstreams

_WARM_UP = 200
_PURCHASES = 1000
_ROUNDS = 5
_FEW, _MANY = 10, 60  # purchases under valgrind, which is slow


@dataclass(frozen=True)
class Warm:
    """``cpu``: milliseconds per purchase. ``memory``: resident MB, by the number of purchases before.

    ``parameter_store``, ``stripe``: calls and connections of the first 201 purchases.
    """

    cpu: float
    memory: dict[int, float]
    parameter_store: list[int]
    stripe: list[int]


def measure(rivals: Sequence[Rival], network: Network, *, quick: bool = False) -> dict[str, Warm]:
    """Measure every rival in turn.

    :param quick: one round with fewer purchases.
    :return: by the rival's name.
    """
    measured: dict[str, list[Warm]] = {rival.name: [] for rival in rivals}
    with Upstreams(network) as upstreams:
        for _ in range(1 if quick else _ROUNDS):
            for rival in rivals:
                measured[rival.name].append(_measure(rival, upstreams, _PURCHASES // (4 if quick else 1)))
    return {
        name: replace(
            rounds[0],
            cpu=statistics.median(warm.cpu for warm in rounds),
            memory={number: statistics.median(warm.memory[number] for warm in rounds) for number in rounds[0].memory},
        )
        for name, rounds in measured.items()
    }


def _measure(rival: Rival, upstreams: Upstreams, number: int) -> Warm:
    upstreams.counts()
    with Container(rival, upstreams.environment(rival)) as container:
        container.purchase()
        memory = {1: container.memory()}
        container.purchase(_WARM_UP)
        memory[_WARM_UP + 1] = container.memory()
        parameter_store, payments = upstreams.counts()
        cpu_before = container.cpu_seconds()
        container.purchase(number)
        cpu = (container.cpu_seconds() - cpu_before) / number * 1000
    return Warm(cpu, memory, parameter_store, payments)


def memory_after(number: int, rival: Rival) -> float:
    """Return a rival's resident MB after a number of purchases."""
    with Upstreams(LOOPBACK) as upstreams, Container(rival, upstreams.environment(rival)) as container:
        container.purchase(number)
        return container.memory()


def instructions(rival: Rival) -> float | None:
    """Return millions of instructions per purchase, from the difference between few and many; None without valgrind."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    with Upstreams(LOOPBACK) as upstreams:
        few, many = (_count_instructions(rival, upstreams, valgrind, number) for number in (_FEW, _MANY))
    return (many - few) / (_MANY - _FEW) / 1e6


def _count_instructions(rival: Rival, upstreams: Upstreams, valgrind: str, number: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        under = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={log}"]
        with Container(rival, {**upstreams.environment(rival), "PYTHONHASHSEED": "0"}, under) as container:
            container.purchase(number)
            container.finish()
        collected = re.search(r"Collected : (\d+)", log.read_text(encoding="utf-8"))
    assert collected
    return int(collected[1])
