"""schemathesis against the API with openapi.json: `make fuzz`, or a few cases in the tests.

It makes requests of all kinds, good and bad, and holds the answers against the description: no 5xx, no status, header or
body that is not described, nothing refused that is described, nothing taken that is not. Left out is what it can't know:
that `chalice local` checks no signature (ignored_auth).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.answers import Scene
from tests.support import PROJECT, Stack

# Beside what is described as good, these are good answers to good requests: Stripe knows few tokens.
_CONFIG = """
[checks]
ignored_auth.enabled = false
"""


def run(scene: Scene, examples: int, seed: int | None = None) -> tuple[int, str]:
    """Run it.

    :param examples: generated cases an operation, beside the boundaries' that schemathesis makes by itself.
    :param seed: repeats a run.
    :return: how many requests were made, and what went wrong; empty if nothing did.
    """
    with tempfile.TemporaryDirectory() as folder:
        config, report = Path(folder, "schemathesis.toml"), Path(folder, "report.ndjson")
        config.write_text(_CONFIG)
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
            str(PROJECT / "openapi.json"), "--url", scene.api.url, "--max-examples", str(examples),
            "--report", "ndjson", "--report-ndjson-path", str(report), "--no-color",
            *(["--seed", str(seed)] if seed is not None else []),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "SCHEMATHESIS_HOOKS": "tests.fuzz_hooks"}
        environment |= {"FUZZ_WEBHOOK_SECRET": scene.secret}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return 0, done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=400)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    with Stack() as stack:
        stack.reset()
        scene = Scene(stack)
        count, said = run(scene, given.examples, given.seed)
        scene.close()
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
