"""What a container that is warm costs: CPU and instructions a purchase, memory, and calls to others."""

import re
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import build, purchases
from benchmarks.build import Rival
from benchmarks.harness import LOOPBACK, Container, Network, Upstreams

_WARM_UP = 200
_PURCHASES = 1000
_ROUNDS = 5
_FEW, _MANY = 10, 60  # under valgrind, which takes fifty times as long


@dataclass(frozen=True)
class Warm:
    """``cpu``: milliseconds a purchase. ``memory``: resident MB after so many purchases.

    ``parameter_store``, ``stripe``: calls and connections of 201 purchases. ``instructions``: millions a purchase, None
    where they were not counted.
    """

    cpu: float
    memory: dict[int, float]
    parameter_store: tuple[int, int]
    stripe: tuple[int, int]
    instructions: float | None = None


def measure(
    rivals: Sequence[Rival], network: Network, answers: Sequence[str], *, quick: bool = False, counted: bool = True
) -> dict[str, Warm]:
    """Measure every rival in turn.

    :param quick: fewer purchases, and no instructions.
    :param counted: count instructions.
    :return: by rival's name.
    """
    measured: dict[str, list[Warm]] = {rival.name: [] for rival in rivals}
    with Upstreams(network, answers) as upstreams:
        for _ in range(1 if quick else _ROUNDS):
            for rival in rivals:
                measured[rival.name].append(_measure(rival, upstreams, _PURCHASES // (4 if quick else 1)))
        which = [rival for rival in rivals if rival.name in _COUNTED and counted and not quick]
        instructions = {rival.name: _instructions(rival, upstreams) for rival in which}
    return {
        name: Warm(
            statistics.median(warm.cpu for warm in rounds),
            {number: statistics.median(warm.memory[number] for warm in rounds) for number in rounds[0].memory},
            rounds[0].parameter_store,
            rounds[0].stripe,
            instructions.get(name),
        )
        for name, rounds in measured.items()
    }


def memory_over(number: int, rival: Rival, answers: Sequence[str]) -> float:
    """Return a rival's resident MB after so many purchases."""
    event = purchases.event()
    with Upstreams(LOOPBACK, answers) as upstreams, Container(rival, upstreams.environment(rival)) as container:
        for _ in range(number):
            container.purchase(event)
        return container.memory()


def _measure(rival: Rival, upstreams: Upstreams, number: int) -> Warm:
    event = purchases.event()
    upstreams.counts()
    with Container(rival, upstreams.environment(rival)) as container:
        container.purchase(event)
        memory = {1: container.memory()}
        for _ in range(_WARM_UP):
            container.purchase(event)
        memory[_WARM_UP + 1] = container.memory()
        parameter_store, payments = upstreams.counts()
        begun = container.cpu_seconds()
        for _ in range(number):
            container.purchase(event)
        cpu = (container.cpu_seconds() - begun) / number * 1000
    return Warm(cpu, memory, parameter_store, payments)


# Node compiles while it runs, so that its instructions are not the purchase's; of the rivals in Python, one is the best.
_COUNTED = {build.OURS.name, build.TUNED.name}


def _instructions(rival: Rival, upstreams: Upstreams) -> float | None:
    """Return millions of instructions a purchase: what many make more than few. None without valgrind."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    few, many = (_collected(rival, upstreams, valgrind, number) for number in (_FEW, _MANY))
    return (many - few) / (_MANY - _FEW) / 1e6


def _collected(rival: Rival, upstreams: Upstreams, valgrind: str, number: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        under = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={log}"]
        environment = {**upstreams.environment(rival), "PYTHONHASHSEED": "0"}
        with Container(rival, environment, under) as container:
            for _ in range(number):
                container.purchase(purchases.event())
            container.finish()
        found = re.search(r"Collected : (\d+)", log.read_text(encoding="utf-8"))
    assert found
    return int(found[1])
