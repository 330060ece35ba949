"""`python -m devstack`, behind `make run`: AWS, Stripe and the API on this machine, until Ctrl-C."""

import os
import sys


def main() -> int:
    """Run the stack and return the exit code."""
    from devstack.runner import Ports, Runner, RunnerError  # takes its time, and Ctrl-C may come in it

    try:
        return Runner(Ports.of(os.environ)).run()
    except RunnerError as error:
        sys.exit(f"notes-billing: {error}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
