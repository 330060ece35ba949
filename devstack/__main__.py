"""`python -m devstack`, behind `make run`: AWS, Stripe and the API on this machine, until Ctrl-C."""

import os
import sys

from devstack.ports import Ports, PortsError, check_free


def main() -> int:
    """Run the stack and return the exit code."""
    try:
        ports = Ports.of(os.environ)
        check_free(ports)
    except PortsError as error:
        sys.exit(f"notes-billing: {error}")

    from devstack.runner import Runner, RunnerError  # a slow import, during which Ctrl-C must work

    try:
        return Runner(ports).run()
    except RunnerError as error:
        sys.exit(f"notes-billing: {error}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
