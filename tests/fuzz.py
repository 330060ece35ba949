"""schemathesis against the API with openapi.yaml: `make fuzz`.

It generates valid and invalid requests and validates the responses: no 5xx, no status, header or body that openapi.yaml
does not describe, no valid request rejected, and no invalid request accepted.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.scenarios import CARD, Services
from tests.support.stack import PROJECT, Stack

_LIMIT = 1200  # seconds
# A declined card is an expected response to a valid request. Python's HTTP server responds to TRACE by itself.
_CONFIG = """
hooks = "tests.support.fuzz_hooks"
[checks]
positive_data_acceptance.expected-statuses = ["200", "402", "404", "409"]
[phases.coverage]
unexpected-methods = ["get", "put", "post", "delete", "patch"]
"""


def run(services: Services, options: list[str]) -> tuple[bool, int]:
    """Run schemathesis with options. Return whether every check passed, and the number of cases with a response."""
    with tempfile.TemporaryDirectory() as folder:
        config, report = Path(folder, "schemathesis.toml"), Path(folder, "report.json")
        config.write_text(_CONFIG)
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
            str(PROJECT / "openapi.yaml"), "--url", services.api.url,
            "--report", "json", "--report-json-path", str(report), "--no-color", *options,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "FUZZ_WEBHOOK_SECRET": services.webhook_secret}
        environment["FUZZ_PAYMENT"] = services.api.post(CARD).json()["id"]
        done = subprocess.run(command, cwd=folder, env=environment, check=False, timeout=_LIMIT)
        made = json.loads(report.read_text())["test_cases"] if report.exists() else {"generated": 0, "errored": 0}
        return done.returncode == 0, made["generated"] - made["errored"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="maximum number of cases per operation and phase")
    parser.add_argument("--at-least", type=int, default=2000, help="minimum number of cases; fewer is a failure")
    given, options = parser.parse_known_args()
    with Stack() as stack:
        stack.reset()
        with contextlib.closing(Services(stack)) as services:
            has_passed, cases = run(services, ["--max-examples", str(given.examples), *options])
    if cases < given.at_least:
        print(f"Only {cases} cases were generated; the minimum is {given.at_least}. Raise --examples.")
    return 0 if has_passed and cases >= given.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
