"""The same with AWS's Powertools: its event handler routes, its parameters utility reads and keeps the key."""

import os
from typing import Any

import stripe
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError
from aws_lambda_powertools.utilities import parameters

app = APIGatewayRestResolver(cors=CORSConfig())

if "SSL_CERT_FILE" in os.environ:
    stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]


def client() -> stripe.StripeClient:
    """Return Stripe's client with the stage's key, which the utility keeps for a while."""
    key = parameters.get_parameter(os.environ["STRIPE_KEY_PARAMETER"], decrypt=True, max_age=300)
    return stripe.StripeClient(str(key), base_addresses={"api": os.environ["STRIPE_API_BASE"]})


def price(storage: int) -> int:
    """Return cents."""
    return storage * (400 if storage <= 10 else 200 if storage <= 100 else 100)


@app.post("/billing")  # type: ignore[untyped-decorator]
def charge() -> Any:
    """Charge for storing notes."""
    body = app.current_event.json_body or {}
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
    options: Any = {"idempotency_key": app.current_event.headers.get("idempotency-key")}
    try:
        intent = client().v1.payment_intents.create(params, options)
    except stripe.CardError as error:
        return Response(402, "application/json", {"error": error.user_message})
    return {"id": intent.id, "status": intent.status, "amount": intent.amount, "storage": storage}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle API Gateway's event."""
    answer: dict[str, Any] = app.resolve(event, context)
    return answer
