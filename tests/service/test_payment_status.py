"""`GET /billing/{payment_id}`: only the payer sees a payment's status."""

import json
from typing import Any

import pytest

from tests.support.lambda_container import Container, billing_event
from tests.support.stack import PURCHASE, Api, Stack, is_problem


def ask(container: Container, payment_id: str, caller: str) -> Any:
    event = billing_event("", caller)
    event |= {"httpMethod": "GET", "path": f"/billing/{payment_id}", "pathParameters": {"payment_id": payment_id}}
    event["requestContext"] |= {"httpMethod": "GET", "resourcePath": "/billing/{payment_id}"}
    return container.invoke({**event, "body": None})


def test_the_payer_sees_the_payment(api: Api):
    payment = api.post(PURCHASE).json()
    retrieved = api.get(f"/billing/{payment['id']}")
    assert (retrieved.status_code, retrieved.json()) == (200, payment)


def test_a_refunded_payment_has_the_status_refunded(api: Api, stack: Stack):
    payment = api.post(PURCHASE).json()
    stack.client().v1.refunds.create({"payment_intent": payment["id"], "amount": 100})
    assert api.get(f"/billing/{payment['id']}").json()["status"] == "succeeded"
    stack.client().v1.refunds.create({"payment_intent": payment["id"]})
    assert api.get(f"/billing/{payment['id']}").json()["status"] == "refunded"


@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_a_slow_payment_is_processing_until_its_outcome_is_known(api: Api, stack: Stack, outcome):
    payment = api.post({"payment_method": "pm_card_processing", "storage": 1}).json()
    assert payment["status"] == "processing"
    assert api.get(f"/billing/{payment['id']}").json()["status"] == "processing"
    stack.stripe.settle_payment(payment["id"], outcome)
    expected = "succeeded" if outcome == "succeed" else "failed"
    assert api.get(f"/billing/{payment['id']}").json()["status"] == expected


def test_a_canceled_payment_has_failed(api: Api, stack: Stack):
    payment = api.post({"payment_method": "pm_card_authenticationRequired", "storage": 1}).json()
    stack.client().v1.payment_intents.cancel(payment["id"])
    retrieved = api.get(f"/billing/{payment['id']}").json()
    assert (retrieved["status"], retrieved["code"]) == ("failed", "canceled")
    assert "client_secret" not in retrieved


def test_a_status_outside_the_contract_is_not_passed_on(api: Api, stack: Stack):
    payment = api.post(PURCHASE).json()
    (intent,) = [intent for intent in stack.stripe.payment_intents if intent["id"] == payment["id"]]
    body = json.dumps({**intent, "status": "requires_capture"}).encode()
    stack.stripe.faults.add(count=100, match="/v1/payment_intents", body=body)
    assert is_problem(api.get(f"/billing/{payment['id']}"), 502, "payment_provider_error")


def test_another_callers_payment_and_a_missing_payment_get_the_same_response(container: Container):
    payment = container.post(PURCHASE, caller="us-east-1:alice").json()
    assert ask(container, payment["id"], "us-east-1:alice").json() == payment
    responses = [
        ask(container, payment["id"], "us-east-1:mallory"),
        ask(container, payment["id"], "arn:aws:iam::123456789012:user/mallory"),
        ask(container, "pi_ofNobodyAtAll", "us-east-1:mallory"),
        ask(container, "ch_1", "us-east-1:mallory"),
        ask(container, "pi_..%2Fcharges", "us-east-1:mallory"),
    ]
    for response in responses:
        assert is_problem(response, 404, "not_found")
    bodies = [{**response.json(), "request_id": ""} for response in responses]
    assert bodies == [bodies[0]] * len(bodies)


def test_another_stages_payment_is_not_found(stack: Stack, container: Container):
    payment = container.post(PURCHASE, caller="us-east-1:alice").json()
    with Container(stack, STAGE="featureX") as other:
        assert is_problem(ask(other, payment["id"], "us-east-1:alice"), 404, "not_found")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 500}, 502, "payment_provider_error"),
        ({"cut": "before"}, 502, "payment_provider_error"),
        ({"body": b"{}"}, 502, "payment_provider_error"),
        ({"body": b"<html>"}, 502, "payment_provider_error"),
        ({"status": 429}, 429, "rate_limited"),
        ({"status": 401}, 503, "stripe_key_rejected"),
    ],
)
def test_stripe_fails_and_recovers(api: Api, stack: Stack, fault, status, code):
    payment = api.post(PURCHASE).json()
    stack.stripe.faults.add(count=100, match="/v1/payment_intents", **fault)
    assert is_problem(api.get(f"/billing/{payment['id']}"), status, code)
    stack.stripe.faults.clear()
    assert api.get(f"/billing/{payment['id']}").status_code == 200
