"""Connections to Stripe, the first of which can be opened while stripe-python is still being imported."""

import os
from importlib.util import find_spec

from chalicelib.aws.credentials import Network
from chalicelib.aws.http_client import HttpClient

# Seconds that an attempt at Stripe takes at most: to connect, and then to get the whole answer.
CONNECT, ANSWER = 2.0, 8.0


def stripe_connection(
    network: Network, base: str, *, connect_timeout: float = CONNECT, response_timeout: float = ANSWER
) -> HttpClient:
    """Return a client of Stripe's, which has opened no connection yet.

    :param network: proxy and CA file of the environment; without the latter, stripe-python's own certificates
        (https://docs.stripe.com/tls-certificates) are verified by, which are there on every system.
    :param base: the one origin that is called.
    :param connect_timeout: seconds for opening a connection.
    :param response_timeout: seconds from sending a call to the last byte of its response.
    """
    package = find_spec("stripe")  # found, not imported
    assert package
    assert package.origin
    # What stripe.ca_bundle_path says.
    bundle = os.path.join(os.path.dirname(package.origin), "data", "ca-certificates.crt")  # noqa: PTH118, PTH120 - pathlib costs 4 ms
    return HttpClient(base, network, ca_file=bundle, connect_timeout=connect_timeout, response_timeout=response_timeout)
