"""`python -m devstack`, behind `make run`: AWS, Stripe and the API on this machine, until Ctrl-C."""

import os
import sys

from devstack.ports import Ports, PortsError, refuse_taken


def main() -> int:
    """Run the stack and return the exit code."""
    try:
        ports = Ports.of(os.environ)
        refuse_taken(ports)
    except PortsError as error:
        sys.exit(f"notes-billing: {error}")

    from devstack.runner import Runner, RunnerError  # takes its time, and Ctrl-C may come in it

    try:
        return Runner(ports).run()
    except RunnerError as error:
        sys.exit(f"notes-billing: {error}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
