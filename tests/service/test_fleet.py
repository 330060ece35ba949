"""Many containers at once: what a purchase meets while Parameter Store throttles. docs/fleet.md has the figures."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmarks.fleet_simulation import Fleet, Policy, Timing, simulate
from devstack.aws import AwsFault
from devstack.runtime_api import LambdaContainer
from tests.support.stack import (
    PROJECT,
    PURCHASE,
    TEST_PARAMETER,
    Answer,
    Api,
    Container,
    Stack,
    billing_event,
    eventually,
    is_problem,
    stage_variables,
)

THROTTLED = AwsFault("GetParameter", 10_000, error="ThrottlingException")


def charges(stack: Stack) -> list[dict[str, Any]]:
    return [intent for intent in stack.stripe.payment_intents if intent["status"] == "succeeded"]


def test_a_purchase_waits_for_its_key_while_parameter_store_throttles(stack: Stack):
    before = len(charges(stack))
    stack.aws.fail(THROTTLED)
    with Container(stack, ANSWERED="11") as container, ThreadPoolExecutor(1) as client:
        in_init = stack.reads()
        purchase = client.submit(container.post, PURCHASE)
        assert eventually(lambda: stack.reads() >= in_init + 3)
        stack.aws.heal()
        assert purchase.result().status_code == 200
        assert len(charges(stack)) == before + 1
        assert "the read during init failed" in container.output()


def test_a_key_that_does_not_come_in_time_is_an_honest_503(stack: Stack):
    before, key = len(charges(stack)), str(uuid.uuid4())
    stack.aws.fail(THROTTLED)
    with Container(stack, ANSWERED="10") as container:
        answer = container.post(PURCHASE, Idempotency_Key=key)
        assert is_problem(answer, 503, "stripe_key_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert stack.stripe.requests == []
        stack.aws.heal()
        again = [container.post(PURCHASE, Idempotency_Key=key) for _ in range(2)]
        assert [answer.status_code for answer in again] == [200, 200]
        assert len(charges(stack)) == before + 1
        assert f"{TEST_PARAMETER}: ThrottlingException" in container.output()


def test_throttling_is_waited_out_through_the_sdk_too(fresh_api: Api, stack: Stack):
    stack.aws.fail(AwsFault("GetParameter", 4, error="ThrottlingException"))
    assert fresh_api.post(PURCHASE).status_code == 200
    assert stack.reads() == 5


def test_a_rotated_key_is_waited_for_while_parameter_store_throttles(stack: Stack):
    old, new = stack.issue_key(), stack.issue_key()
    stack.aws.put_secret(TEST_PARAMETER, old)
    with Container(stack) as container:
        assert container.post(PURCHASE).status_code == 200
        stack.aws.put_secret(TEST_PARAMETER, new)
        stack.stripe.keys.revoke(old)
        stack.aws.fail(AwsFault("GetParameter", 4, error="ThrottlingException"))
        assert container.post(PURCHASE).status_code == 200


def test_what_does_not_pass_is_not_waited_out(stack: Stack):
    stack.aws.fail(AwsFault("GetParameter", 10_000, error="AccessDeniedException"))
    with Container(stack) as container:
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_unavailable")
        assert stack.reads() == 2  # during init, and in the request


def test_a_small_fleet_of_real_containers_is_served_and_charged_once_each(stack: Stack):
    """Under AWS's own runtime client, all at the same moment, at 4 reads a second."""
    before = len(charges(stack))
    stack.aws.limit_reads(4)
    environment = {**stack.environment(), **stage_variables("dev")}

    def buy(key: str) -> Answer:
        with LambdaContainer(PROJECT, "app.app", environment) as container:
            return Answer(container.invoke(billing_event(PURCHASE, Idempotency_Key=key)))

    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(buy, [str(uuid.uuid4()) for _ in range(12)]))
    assert [answer.status_code for answer in answers] == [200] * 12
    assert len({answer.json()["id"] for answer in answers}) == 12
    assert len(charges(stack)) == before + 12
    assert stack.reads() > 12  # some were throttled


# Seconds, about those that `make bench-fleet` measures.
TIMING = Timing(read=[0.1], imports=[0.03], given=[0.03], throttled=[0.03], purchase=[1.0])


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_cold_containers_within_ten_seconds_are_answered_in_time(seed: int):
    outcome = simulate(Fleet(1000, 10, 40), TIMING, seed=seed)
    assert all(purchase.answered < 29 for purchase in outcome.purchases)
    assert sum(purchase.told > 0 for purchase in outcome.purchases) <= 5
    assert outcome.given == 1000


def test_a_raised_limit_throttles_none_of_a_thousand():
    outcome = simulate(Fleet(1000, 10, 1000), TIMING)
    assert outcome.refused.total() == 0
    assert all(purchase.reads == 1 for purchase in outcome.purchases)


def test_the_simulation_tells_a_bad_policy_from_a_good_one():
    impatient = Policy("", lambda _failed, left, _patient: random.random() if left > 1 else None, request=3.0)
    outcome = simulate(Fleet(1000, 10, 40), TIMING, policy=impatient)
    assert sum(purchase.told > 0 for purchase in outcome.purchases) > 100
    assert all(purchase.paid for purchase in outcome.purchases)  # those told to come back did, and paid
