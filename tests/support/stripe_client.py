"""What the tests of the Stripe emulator share: a payment, a stripe-python client, and a rejected call."""

import pytest
import stripe

HERE = {"enabled": True, "allow_redirects": "never"}
PAY = {"amount": 2200, "currency": "usd", "confirm": True, "automatic_payment_methods": HERE}


def client(server, key):
    return stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=0).v1


def refused(call, *args, status=400, **expected):
    """Assert that Stripe refuses a call, and return the error."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*args)
    error = caught.value
    assert error.http_status == status, error.user_message
    assert {name: getattr(error.error, name, None) for name in expected} == expected
    return error
