"""`python -m devstack`, behind `make run`: AWS, Stripe and the API on this machine, until Ctrl-C."""

import os
import sys

from devstack.ports import StartError, check_free, read_ports

if __name__ == "__main__":
    try:
        ports = read_ports(os.environ)
        check_free(ports)
        from devstack.runner import Runner  # a slow import, during which Ctrl-C must work

        sys.exit(Runner(ports).run())
    except StartError as error:
        sys.exit(f"notes-billing: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
