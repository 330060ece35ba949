"""One idempotency key is one payment, whatever fails and wherever the process is killed."""

import base64
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.lambda_container import Container, billing_event
from tests.support.stack import PURCHASE, TEST_PARAMETER, Api, Stack, is_problem


def test_the_same_key_twice_is_one_payment(api: Api, stack: Stack):
    before = len(stack.stripe.payment_intents)
    key = str(uuid.uuid4())
    first, second = (api.post(PURCHASE, Idempotency_Key=key) for _ in range(2))
    assert first.status_code == 200
    assert first.json() == second.json()
    assert len(stack.stripe.payment_intents) == before + 1


@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_the_same_key_20_times_at_once_is_one_payment(api: Api, stack: Stack, delay):
    before = len(stack.stripe.payment_intents)
    key = str(uuid.uuid4())
    if delay:
        stack.stripe.faults.add(count=1, match="/v1/payment_intents", delay=delay)
    together = threading.Barrier(20)

    def buy(_: int):
        together.wait()
        return api.request("POST", "/billing", json=PURCHASE, headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(buy, range(20)))
    paid = [response for response in responses if response.status_code == 200]
    assert paid
    assert len({response.json()["id"] for response in paid}) == 1
    assert all(is_problem(response, 409, "idempotency_key_in_use") for response in responses if response not in paid)
    assert len(stack.stripe.payment_intents) == before + 1


@pytest.mark.parametrize("other", [{"storage": 22}, {"source": "tok_mastercard"}])
def test_the_same_key_with_another_body_is_rejected(api: Api, stack: Stack, other):
    key = str(uuid.uuid4())
    assert api.post(PURCHASE, Idempotency_Key=key).status_code == 200
    before = len(stack.stripe.payment_intents)
    assert is_problem(api.post({**PURCHASE, **other}, Idempotency_Key=key), 409, "idempotency_key_reused")
    assert len(stack.stripe.payment_intents) == before


def test_a_declined_card_is_declined_again_for_the_same_key(api: Api, stack: Stack):
    key = str(uuid.uuid4())
    body = {"source": "tok_chargeDeclined", "storage": 1}
    first, second = (api.post(body, Idempotency_Key=key).json() for _ in range(2))
    assert first["payment_id"] == second["payment_id"]
    assert first["code"] == second["code"] == "card_declined"


def test_two_callers_with_the_same_key_make_two_payments(container: Container):
    ids = set()
    for caller in ("us-east-1:alice", "us-east-1:bob", "arn:aws:iam::123456789012:user/alice"):
        responses = [container.post(PURCHASE, caller=caller, Idempotency_Key="same").json() for _ in range(2)]
        assert responses[0]["id"] == responses[1]["id"]
        ids.add(responses[0]["id"])
    assert len(ids) == 3


def test_two_stages_with_the_same_key_make_two_payments(stack: Stack, container: Container):
    with Container(stack, STAGE="featureX") as other:
        ids = {one.post(PURCHASE, Idempotency_Key="same").json()["id"] for one in (container, other)}
    assert len(ids) == 2


def test_two_idempotency_keys_are_rejected(container: Container, stack: Stack):
    event = billing_event(PURCHASE, Idempotency_Key="second")
    event["multiValueHeaders"] = {"Content-Type": ["application/json"], "Idempotency-Key": ["first", "second"]}
    assert is_problem(container.invoke(event), 400, "invalid_request")
    assert stack.stripe.requests == []


@pytest.mark.parametrize("identity", [None, {}])
def test_an_event_without_identity_is_rejected(container: Container, identity):
    event = billing_event(PURCHASE)
    event["requestContext"]["identity"] = identity
    assert is_problem(container.invoke(event), 403, "caller_unknown")


def test_a_base64_body_is_decoded_and_malformed_base64_is_rejected(container: Container):
    event = billing_event(base64.b64encode(json.dumps(PURCHASE).encode()).decode())
    assert container.invoke({**event, "isBase64Encoded": True}).status_code == 200
    for body in ("é", "abc", "=", "\ud800"):
        assert is_problem(container.invoke({**event, "isBase64Encoded": True, "body": body}), 400, "invalid_request")
    assert is_problem(container.invoke({**event, "body": "\ud800"}), 400, "invalid_request")


def test_the_caller_is_part_of_the_payment(container: Container, stack: Stack):
    payment = container.post(PURCHASE, caller="us-east-1:alice").json()
    intent = next(intent for intent in stack.stripe.payment_intents if intent["id"] == payment["id"])
    assert intent["metadata"]["caller"] == "us-east-1:alice"


def test_an_unsigned_request_is_rejected_in_lambda(container: Container, stack: Stack):
    event = billing_event(PURCHASE)
    event["requestContext"]["identity"] = {"sourceIp": "192.0.2.1", "cognitoIdentityId": None, "userArn": None}
    assert is_problem(container.invoke(event), 403, "caller_unknown")
    assert stack.stripe.requests == []


@pytest.mark.parametrize("half", [0, 1])
def test_killed_at_any_of_50_moments_and_repeated_is_one_payment(stack: Stack, half):
    """25 moments per half, spread over the whole charge. Its first and last steps are slowed down to be hit."""
    moments = [0.060 * (2 * step + half) / 50 for step in range(25)]
    with Container(stack) as container:
        killed = 0
        for moment in moments:
            key = str(uuid.uuid4())
            event = billing_event({**PURCHASE, "source": "tok_visa"}, caller=f"us-east-1:{key}", Idempotency_Key=key)
            stack.stripe.faults.clear()
            stack.stripe.faults.add(count=1, match="/v1/payment_intents", delay=0.02, delay_after=0.02)
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
    assert killed > 5  # most of the moments fell into the charge
    assert stack.reads() == 1


def test_201_purchases_are_one_read_201_calls_and_one_connection(stack: Stack):
    before = stack.stripe.connections
    with Container(stack) as container:
        for number in range(201):
            assert container.post(PURCHASE, Idempotency_Key=f"purchase-{number}-{uuid.uuid4()}").status_code == 200
    assert stack.reads() == 1
    assert [request.path for request in stack.stripe.requests] == ["/v1/payment_intents"] * 201
    assert stack.stripe.connections - before == 1


def test_rotating_the_key_and_revoking_the_old_one_fails_no_request(stack: Stack):
    keys = [stack.issue_key() for _ in range(2)]
    stack.aws.put_secret(TEST_PARAMETER, keys[0])
    rotate_at, done = 40, []
    with Api(stack) as api, ThreadPoolExecutor(8) as pool:

        def buy(number: int) -> int:
            if number == rotate_at:
                stack.aws.put_secret(TEST_PARAMETER, keys[1])
                stack.stripe.keys.revoke(keys[0])
            done.append(number)
            return api.request("POST", "/billing", json=PURCHASE).status_code

        assert set(pool.map(buy, range(120))) == {200}
    assert stack.reads() == 2
    refused = [request for request in stack.stripe.requests if request.status == 401]
    assert refused
    assert json.dumps(keys) not in json.dumps([request.path for request in refused])
