"""What the tests of the Stripe emulator share: a payment, a stripe-python client, and rejected and raw calls."""

import pytest
import requests
import stripe

PAY = {
    "amount": 2200,
    "currency": "usd",
    "confirm": True,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}
VISA = {**PAY, "payment_method": "pm_card_visa"}
DECLINED = {**PAY, "payment_method": "pm_card_chargeDeclined"}


def client(server, key=None, mode="test", **options):
    """A client with a key, or with a new one of a mode."""
    options = {"base_addresses": {"api": server.url}, "max_network_retries": 0, **options}
    return stripe.StripeClient(key or server.keys.issue(mode), **options).v1


def refused(call, *args, status=400, **expected):
    """Assert that Stripe refuses a call, and return the error."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*args)
    error = caught.value
    assert error.http_status == status, error.user_message
    assert {name: getattr(error.error, name, None) for name in expected} == expected
    return error


def send(server, method, path, body="", **headers):
    """Send a body unchanged, or an object as JSON, and return status and JSON."""
    content = {"data" if isinstance(body, str) else "json": body}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    response = requests.request(method, server.url + path, headers=headers, timeout=10, **content)
    return response.status_code, response.json()
