"""What the Python rivals share: they differ in how they read the key and how long they keep Stripe's client."""

import os
from typing import Any

import stripe

if "SSL_CERT_FILE" in os.environ:
    stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]


def stripe_client(key: str) -> stripe.StripeClient:
    """Create Stripe's client."""
    return stripe.StripeClient(key, base_addresses={"api": os.environ["STRIPE_API_BASE"]})


def price(storage: int) -> int:
    """Return cents."""
    return storage * (400 if storage <= 10 else 200 if storage <= 100 else 100)


def charge(
    client: stripe.StripeClient, body: dict[str, Any], idempotency_key: str | None
) -> tuple[int, dict[str, Any]]:
    """Charge for storing notes.

    :return: the status and body of the response.
    """
    try:
        storage, source = int(body["storage"]), body["source"]
    except (KeyError, TypeError, ValueError):
        return 400, {"error": "storage and source are required"}
    params: Any = {
        "amount": price(storage),
        "currency": "usd",
        "confirm": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "payment_method_data": {"type": "card", "card": {"token": source}},
        "description": "Scratch charge",
        "metadata": {"storage": str(storage)},
    }
    options: Any = {"idempotency_key": idempotency_key}
    try:
        intent = client.v1.payment_intents.create(params, options)
    except stripe.CardError as error:
        return 402, {"error": error.user_message}
    return 200, {"id": intent.id, "status": intent.status, "amount": intent.amount, "storage": storage}
