"""Measures telemetry: the import of its module, in fresh processes, and its part of a request. Figures are medians."""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.build import PROJECT
from chalicelib.key_formats import SENSITIVE
from chalicelib.telemetry import Redactor, Telemetry

_RUNS = 15
_REQUESTS = 2000
_IMPORT = """
import time
import chalice.app, stripe, hashlib, http.client, contextlib, dataclasses  # what app.py needs without telemetry
started = time.perf_counter()
import chalicelib.telemetry
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Cost:
    """Milliseconds: of the import, of a request, and of a request that X-Ray traces."""

    imported: float
    request: float
    traced: float


def measure() -> Cost:
    """Measure the import, a request, and a traced request. Nothing listens at the address of the X-Ray daemon."""
    return Cost(_import_milliseconds(), _request_milliseconds(""), _request_milliseconds("127.0.0.1:9"))


def _import_milliseconds() -> float:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # the first run writes the bytecode
    command = [sys.executable, "-c", _IMPORT]
    runs = [
        float(subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=True).stdout)  # noqa: S603
        for _ in range(_RUNS + 1)
    ]
    return statistics.median(runs[1:]) * 1000


def _request_milliseconds(daemon: str) -> float:
    """Measure a purchase's log line, a metric and a subsegment.

    :param daemon: the address for subsegments; empty for a request that is not traced.
    """
    telemetry = Telemetry("dev", Redactor(SENSITIVE), daemon)
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    batches = []
    with Path(os.devnull).open("w", encoding="utf-8") as null, contextlib.redirect_stdout(null):
        for _ in range(_RUNS):
            started = time.perf_counter()
            for _ in range(_REQUESTS):
                with telemetry.request(trace, request_id="0" * 36, method="POST", route="/billing"):
                    telemetry.note(idempotency_key_hash="0" * 16)
                    with telemetry.subsegment("api.stripe.com", "remote"):
                        pass
                    telemetry.note(payment_id="pi_" + "0" * 24, payment_status="succeeded")
                    telemetry.count("Purchases")
                    telemetry.note(status=200)
            batches.append((time.perf_counter() - started) / _REQUESTS)
    return statistics.median(batches) * 1000
