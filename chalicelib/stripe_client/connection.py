"""Connections to Stripe. The first can be opened while stripe-python is still being imported."""

import os
from importlib.util import find_spec

from chalicelib.aws.credentials import Network
from chalicelib.aws.http_client import HttpClient

# Seconds that one attempt takes at most: to connect, and then to receive the whole response.
CONNECT, ANSWER = 2.0, 8.0


def stripe_connection(
    network: Network, base: str, *, connect_timeout: float = CONNECT, response_timeout: float = ANSWER
) -> HttpClient:
    """Return an HTTP client for Stripe's API.

    :param network: proxy and CA file of the environment. Without a CA file, stripe-python's own certificates are used,
        which are the same on every system (https://docs.stripe.com/tls-certificates).
    :param base: the origin of Stripe's API, the only one that is called.
    :param connect_timeout: seconds to open a connection.
    :param response_timeout: seconds from sending a request to the last byte of its response.
    """
    package = find_spec("stripe")  # finds the package without importing it
    assert package
    assert package.origin
    # The value of stripe.ca_bundle_path.
    bundle = os.path.join(os.path.dirname(package.origin), "data", "ca-certificates.crt")  # noqa: PTH118, PTH120 - pathlib costs 4 ms
    return HttpClient(base, network, ca_file=bundle, connect_timeout=connect_timeout, response_timeout=response_timeout)
