"""One idempotency key is one payment, whatever fails and wherever the process is killed."""

import base64
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.lambda_container import Container, billing_event
from tests.support.stack import PURCHASE, TEST_PARAMETER, Api, Stack, is_problem


def test_the_same_key_20_times_at_once_is_one_payment(api: Api, stack: Stack):
    before = len(stack.stripe.payment_intents)
    key = str(uuid.uuid4())
    stack.stripe.faults.add(count=1, match="/v1/payment_intents", delay=0.3)
    together = threading.Barrier(20)

    def buy(_: int):
        together.wait()
        return api.request("POST", "/billing", json=PURCHASE, headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(buy, range(20)))
    paid = [response for response in responses if response.status_code == 200]
    assert len({response.json()["id"] for response in paid}) == 1
    assert all(is_problem(response, 409, "idempotency_key_in_use") for response in responses if response not in paid)
    assert len(stack.stripe.payment_intents) == before + 1


@pytest.mark.parametrize(
    ("moments", "pause"),
    [
        pytest.param([0.4], 3.0, id="while Stripe's response is on its way"),
        # Spread over the whole charge, whose first and last steps are slowed down to be hit.
        pytest.param([0.06 * step / 50 for step in range(50)], 0.02, id="at 50 moments", marks=pytest.mark.slow),
    ],
)
def test_killed_during_a_charge_and_repeated_is_one_payment(stack: Stack, moments: list[float], pause: float):
    with Container(stack) as container:
        killed = 0
        for moment in moments:
            key = str(uuid.uuid4())
            event = billing_event(PURCHASE, caller=f"us-east-1:{key}", Idempotency_Key=key)
            stack.stripe.faults.add(count=1, match="/v1/payment_intents", delay=min(pause, 0.02), delay_after=pause)
            killed += container.invoke_and_kill(event, after=moment) is None
            stack.stripe.faults.clear()
            for _ in range(5):
                response = container.invoke_and_kill(event, after=None)
                assert response is not None
                if response.status_code != 409:  # the killed process's request is still running at Stripe
                    break
            assert response.status_code == 200, response.text
            paid = [intent for intent in stack.stripe.payment_intents if intent["metadata"]["caller"].endswith(key)]
            assert [intent["status"] for intent in paid] == ["succeeded"]
    assert killed > len(moments) / 10
    assert stack.reads() == 1


def test_a_payment_whose_response_was_lost_is_returned_for_its_key(api: Api, stack: Stack):
    before = len(stack.stripe.payment_intents)
    stack.stripe.faults.add(count=100, match="/v1/payment_intents", cut="after")
    lost = api.post(PURCHASE)  # without a key: the response has one to repeat with
    assert is_problem(lost, 502, "payment_provider_error")
    stack.stripe.faults.clear()
    found = api.post(PURCHASE, Idempotency_Key=lost.headers["Idempotency-Key"])
    assert found.json()["status"] == "succeeded"
    assert len(stack.stripe.payment_intents) == before + 1


def test_callers_with_the_same_key_make_their_own_payments_and_see_no_others(container: Container):
    """Stages too: tests/unit/test_charge.py and test_retrieve.py."""
    callers = ["us-east-1:alice", "us-east-1:bob", "arn:aws:iam::123456789012:user/alice"]
    payments = [container.post(PURCHASE, caller, Idempotency_Key="same").json() for caller in callers]
    assert len({payment["id"] for payment in payments}) == len(callers)
    assert container.post(PURCHASE, callers[0], Idempotency_Key="same").json() == payments[0]
    for caller in callers:
        event = billing_event("", caller) | {"pathParameters": {"payment_id": payments[0]["id"]}}
        event["requestContext"] |= {"httpMethod": "GET", "resourcePath": "/billing/{payment_id}"}
        assert container.invoke(event).status_code == (200 if caller == callers[0] else 404)


def test_an_event_of_api_gateway_is_read_as_it_was_signed(container: Container, stack: Stack):
    event = billing_event(base64.b64encode(json.dumps(PURCHASE).encode()).decode()) | {"isBase64Encoded": True}
    assert container.invoke(event).status_code == 200
    stack.stripe.requests.clear()
    for changes in (
        *({"body": body} for body in ("é", "abc", "=", "\ud800")),
        {"body": "\ud800", "isBase64Encoded": False},
        {"multiValueHeaders": {"Content-Type": ["application/json"], "Idempotency-Key": ["first", "second"]}},
    ):
        assert is_problem(container.invoke(event | changes), 400, "invalid_request")
    assert stack.stripe.requests == []


def test_rotating_the_key_and_revoking_the_old_one_fails_no_request(stack: Stack):
    keys = [stack.issue_key() for _ in range(2)]
    stack.aws.put_secret(TEST_PARAMETER, keys[0])
    with Api(stack) as api, ThreadPoolExecutor(8) as pool:

        def buy(number: int) -> int:
            if number == 20:
                stack.aws.put_secret(TEST_PARAMETER, keys[1])
                stack.stripe.keys.revoke(keys[0])
            return api.request("POST", "/billing", json=PURCHASE).status_code

        assert set(pool.map(buy, range(60))) == {200}
    assert stack.reads() == 2
    assert 401 in {request.status for request in stack.stripe.requests}
