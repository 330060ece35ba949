"""What telemetry costs: its import, beyond what a cold start imports anyway, and a request's line.

Each figure is a median; the import is of fresh processes, the request of batches in one process.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from chalicelib.key_formats import SENSITIVE
from chalicelib.telemetry import Redactor, Telemetry

RUNS = 15
REQUESTS = 2000
PROJECT = Path(__file__).resolve().parent.parent
_IMPORT = """
import time
import chalice.app, stripe, hashlib, http.client, contextlib, dataclasses  # what app.py needs without telemetry
begun = time.perf_counter()
import chalicelib.telemetry
print(time.perf_counter() - begun)
"""


def import_milliseconds() -> float:
    """Return the import's time beyond what is imported already."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", _IMPORT]
    runs = [
        float(subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=True).stdout)  # noqa: S603
        for _ in range(RUNS + 1)
    ]
    return statistics.median(runs[1:]) * 1000


def request_milliseconds(daemon: str) -> float:
    """Return what telemetry adds to a purchase: its line, a metric, a subsegment.

    :param daemon: where subsegments are sent; empty for a request that is not traced.
    """
    telemetry = Telemetry("dev", Redactor(SENSITIVE), daemon)
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    batches = []
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        for _ in range(RUNS):
            begun = time.perf_counter()
            for _ in range(REQUESTS):
                with telemetry.request(trace, request_id="0" * 36, method="POST", route="/billing"):
                    telemetry.note(idempotency_key_hash="0" * 16)
                    with telemetry.subsegment("api.stripe.com", "remote"):
                        pass
                    telemetry.note(payment_id="pi_" + "0" * 24, payment_status="succeeded")
                    telemetry.count("Purchases")
                    telemetry.note(status=200)
            batches.append((time.perf_counter() - begun) / REQUESTS)
    return statistics.median(batches) * 1000


@dataclass(frozen=True)
class Cost:
    """Milliseconds: of the import, of a request, and of one that X-Ray traces."""

    imported: float
    request: float
    traced: float


def measure() -> Cost:
    """Measure all three."""
    return Cost(import_milliseconds(), request_milliseconds(""), request_milliseconds("127.0.0.1:9"))
