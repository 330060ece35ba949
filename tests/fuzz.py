"""schemathesis against the API with openapi.yaml: `make fuzz`, and a few cases among the tests.

It makes requests of all kinds, good and bad, and holds the answers against the description: no 5xx; no status, header
or body that is not described; nothing good refused, nothing bad taken.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios import CARD, Services
from tests.support import PROJECT, Stack

_LIMIT = 1200  # seconds
# A card that is declined is a good answer to a good request. Python's HTTP server answers TRACE by itself.
_CONFIG = """
hooks = "tests.fuzz_hooks"
[checks]
positive_data_acceptance.expected-statuses = ["200", "402", "404", "409"]
[phases.coverage]
unexpected-methods = ["get", "put", "post", "delete", "patch"]
"""


@dataclass(frozen=True)
class Run:
    """How it ended: whether all was well, the generated cases that were answered, and what schemathesis said."""

    good: bool
    cases: int
    said: str


def run(services: Services, examples: int, *options: str) -> Run:
    """Run it.

    :param examples: the most cases to generate for an operation and phase.
    :param options: of `schemathesis run`.
    """
    with tempfile.TemporaryDirectory() as folder:
        config, report = Path(folder, "schemathesis.toml"), Path(folder, "report.json")
        config.write_text(_CONFIG)
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
            str(PROJECT / "openapi.yaml"), "--url", services.api.url, "--max-examples", str(examples),
            "--report", "json", "--report-json-path", str(report), "--no-color", *options,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "FUZZ_WEBHOOK_SECRET": services.webhook_secret}
        environment["FUZZ_PAYMENT"] = services.api.post(CARD).json()["id"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=_LIMIT
        )
        made = json.loads(report.read_text())["test_cases"] if report.exists() else {"generated": 0, "errored": 0}
        return Run(done.returncode == 0, made["generated"] - made["errored"], done.stdout + done.stderr)


def main() -> int:
    """Run it against the API over the devstack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="the most, for an operation and phase")
    parser.add_argument("--at-least", type=int, default=2000, help="cases; it fails if there were fewer")
    given, options = parser.parse_known_args()
    with Stack() as stack:
        stack.reset()
        services = Services(stack)
        try:
            done = run(services, given.examples, *options)
        finally:
            services.close()
    print(done.said)
    if done.cases < given.at_least:
        print(f"{done.cases} cases were generated; at least {given.at_least} were wanted: raise --examples.")
    return 0 if done.good and done.cases >= given.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
