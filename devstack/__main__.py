"""`python -m devstack`, behind `make run`: AWS, Stripe and the API on this machine, until Ctrl-C."""

import os
import sys

from devstack.ports import Ports, StartError, check_free


def main() -> int:
    """Run the stack and return the exit code."""
    try:
        ports = Ports.of(os.environ)
        check_free(ports)
        from devstack.runner import Runner  # a slow import, during which Ctrl-C must work

        return Runner(ports).run()
    except StartError as error:
        sys.exit(f"notes-billing: {error}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
