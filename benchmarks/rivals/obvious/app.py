"""The obvious Chalice app: boto3 reads the key, stripe-python charges, and `chalice package` packages it."""

import os
from functools import lru_cache
from typing import Any

import boto3
from chalice import Chalice, IAMAuthorizer, Response  # type: ignore[attr-defined]
from charge import charge, stripe_client  # type: ignore[import-not-found]

app = Chalice(app_name="billing")
ssm = boto3.client("ssm")


@lru_cache
def stripe_key() -> str:
    """Return the stage's key, read once per container."""
    return str(ssm.get_parameter(Name=os.environ["STRIPE_KEY_PARAMETER"], WithDecryption=True)["Parameter"]["Value"])


def client() -> Any:
    """Return Stripe's client."""
    return stripe_client(stripe_key())


@app.route("/billing", methods=["POST"], authorizer=IAMAuthorizer(), cors=True)
def billing() -> Response:
    """Charge for storing notes."""
    request = app.current_request
    assert request is not None
    status, body = charge(client(), request.json_body or {}, request.headers.get("idempotency-key"))
    return Response(body, status_code=status)
