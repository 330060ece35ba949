"""A Stripe client that forks: it makes one call before, one in the fork, and one after, over one transport.

It is a process of its own: the tests' processes have threads, and a fork of those may wait for a lock for ever.
"""

import os
import sys

from chalicelib.aws.credentials import Network
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.stripe_client.transport import StripeTransport


def main(base: str) -> None:
    transport = StripeTransport(stripe_connection(Network(), base))
    _call(transport, base)
    child = os.fork()
    if child == 0:
        _call(transport, base)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    _call(transport, base)


def _call(transport: StripeTransport, base: str) -> None:
    assert transport.request("get", f"{base}/v1/balance", {})[1] == 200


if __name__ == "__main__":
    main(sys.argv[1])
