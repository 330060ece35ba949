"""`python -m devstack`, behind `make run`: AWS, Stripe and the API on this machine, until Ctrl-C."""

import os
import sys

from devstack.runner import Ports, Runner, RunnerError

if __name__ == "__main__":
    try:
        sys.exit(Runner(Ports.of(os.environ)).run())
    except RunnerError as error:
        sys.exit(f"notes-billing: {error}")
