"""A Stripe emulator of its own for each test, with a client."""

import pytest

from devstack.stripe.server import StripeServer
from tests.support.stripe_client import client


@pytest.fixture
def events():
    """The events that the emulator has emitted."""
    return []


@pytest.fixture
def server(events):
    with StripeServer(on_event=events.append, webhook_pause=0.01) as running:
        yield running


@pytest.fixture
def v1(server):
    return client(server)
