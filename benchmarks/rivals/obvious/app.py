"""The obvious Chalice app: boto3 reads the key, stripe charges, and `chalice package` ships it."""

import os
from functools import lru_cache
from typing import Any

import boto3
import stripe
from chalice import BadRequestError, Chalice, IAMAuthorizer, Response  # type: ignore[attr-defined]

app = Chalice(app_name="billing")
ssm = boto3.client("ssm")

if "SSL_CERT_FILE" in os.environ:
    stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]


@lru_cache
def stripe_key() -> str:
    """Return the stage's key, read once a container."""
    return str(ssm.get_parameter(Name=os.environ["STRIPE_KEY_PARAMETER"], WithDecryption=True)["Parameter"]["Value"])


def client() -> stripe.StripeClient:
    """Return Stripe's client."""
    return stripe.StripeClient(stripe_key(), base_addresses={"api": os.environ["STRIPE_API_BASE"]})


def price(storage: int) -> int:
    """Return cents."""
    return storage * (400 if storage <= 10 else 200 if storage <= 100 else 100)


@app.route("/billing", methods=["POST"], authorizer=IAMAuthorizer(), cors=True)
def charge() -> Any:
    """Charge for storing notes."""
    request = app.current_request
    assert request is not None
    body = request.json_body or {}
    try:
        storage, source = int(body["storage"]), body["source"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequestError("storage and source are required") from error
    params: Any = {
        "amount": price(storage),
        "currency": "usd",
        "confirm": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "payment_method_data": {"type": "card", "card": {"token": source}},
        "description": "Scratch charge",
        "metadata": {"storage": str(storage)},
    }
    options: Any = {"idempotency_key": request.headers.get("idempotency-key")}
    try:
        intent = client().v1.payment_intents.create(params, options)
    except stripe.CardError as error:
        return Response({"error": error.user_message}, status_code=402)
    return {"id": intent.id, "status": intent.status, "amount": intent.amount, "storage": storage}
