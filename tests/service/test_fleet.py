"""Many containers at once: purchases while Parameter Store throttles. docs/fleet.md has the figures."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.fleet_simulation import Fleet, Policy, Timing, simulate
from devstack.aws_emulator import AwsFault
from devstack.runtime_api import LambdaContainer
from tests.support.lambda_container import Container, ContainerResponse, billing_event, stage_variables
from tests.support.stack import PROJECT, PURCHASE, TEST_PARAMETER, Api, Stack, eventually, is_problem

THROTTLED = AwsFault("GetParameter", 10_000, error="ThrottlingException")


def count_charges(stack: Stack) -> int:
    return sum(intent["status"] == "succeeded" for intent in stack.stripe.payment_intents)


def test_a_purchase_waits_for_its_key_while_parameter_store_throttles(stack: Stack):
    charges_before = count_charges(stack)
    stack.aws.fail(THROTTLED)
    with Container(stack, STRIPE_DEADLINE="11") as container, ThreadPoolExecutor(1) as client:
        reads_in_init = stack.reads()
        purchase = client.submit(container.post, PURCHASE)
        assert eventually(lambda: stack.reads() >= reads_in_init + 3)
        stack.aws.clear_faults()
        assert purchase.result().status_code == 200
        assert count_charges(stack) == charges_before + 1
        assert "the read during init failed" in container.output()


def test_a_key_that_is_not_read_before_the_deadline_is_a_503_that_charges_nothing(stack: Stack):
    charges_before, key = count_charges(stack), str(uuid.uuid4())
    stack.aws.fail(THROTTLED)
    with Container(stack, STRIPE_DEADLINE="10") as container:
        response = container.post(PURCHASE, Idempotency_Key=key)
        assert is_problem(response, 503, "stripe_key_unavailable")
        assert int(response.headers["Retry-After"]) > 0
        assert stack.stripe.requests == []
        stack.aws.clear_faults()
        retries = [container.post(PURCHASE, Idempotency_Key=key) for _ in range(2)]
        assert [response.status_code for response in retries] == [200, 200]
        assert count_charges(stack) == charges_before + 1
        assert f"{TEST_PARAMETER}: ThrottlingException" in container.output()


def test_throttling_is_retried_through_the_sdk_too(fresh_api: Api, stack: Stack):
    stack.aws.fail(AwsFault("GetParameter", 4, error="ThrottlingException"))
    assert fresh_api.post(PURCHASE).status_code == 200
    assert stack.reads() == 5


def test_a_rotated_key_is_read_while_parameter_store_throttles(stack: Stack):
    old, new = stack.issue_key(), stack.issue_key()
    stack.aws.put_secret(TEST_PARAMETER, old)
    with Container(stack) as container:
        assert container.post(PURCHASE).status_code == 200
        stack.aws.put_secret(TEST_PARAMETER, new)
        stack.stripe.keys.revoke(old)
        stack.aws.fail(AwsFault("GetParameter", 4, error="ThrottlingException"))
        assert container.post(PURCHASE).status_code == 200


def test_a_denied_read_is_not_retried(stack: Stack):
    stack.aws.fail(AwsFault("GetParameter", 10_000, error="AccessDeniedException"))
    with Container(stack) as container:
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_unavailable")
        assert stack.reads() == 2  # during init, and in the request


def test_a_small_fleet_of_real_containers_makes_one_charge_per_purchase(stack: Stack):
    """With AWS's own runtime client, all at the same moment, at 4 reads per second."""
    charges_before = count_charges(stack)
    stack.aws.limit_reads(4)
    environment = {**stack.environment(), **stage_variables("dev")}

    def buy(key: str) -> ContainerResponse:
        with LambdaContainer(PROJECT, "app.app", environment) as container:
            return ContainerResponse(container.invoke(billing_event(PURCHASE, Idempotency_Key=key)))

    with ThreadPoolExecutor(12) as clients:
        responses = list(clients.map(buy, [str(uuid.uuid4()) for _ in range(12)]))
    assert [response.status_code for response in responses] == [200] * 12
    assert len({response.json()["id"] for response in responses}) == 12
    assert count_charges(stack) == charges_before + 12
    assert stack.reads() > 12  # some were throttled


# Seconds, close to those that `make bench-fleet` measures.
TIMING = Timing(first_read=[0.1], imports=[0.03], read=[0.03], throttled_read=[0.03], purchase=[1.0])


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_cold_containers_within_ten_seconds_respond_before_api_gateway_times_out(seed: int):
    outcome = simulate(Fleet(1000, 10, 40), TIMING, seed=seed)
    assert all(purchase.responded < 29 for purchase in outcome.purchases)
    assert sum(purchase.unavailable > 0 for purchase in outcome.purchases) <= 5
    assert outcome.successful_reads == 1000


def test_a_raised_limit_throttles_no_read_of_a_thousand_containers():
    outcome = simulate(Fleet(1000, 10, 1000), TIMING)
    assert outcome.throttled.total() == 0
    assert all(purchase.reads == 1 for purchase in outcome.purchases)


def test_the_simulation_distinguishes_a_bad_policy():
    impatient = Policy("", lambda _failed, left, _patient: random.random() if left > 1 else None, request=3.0)
    outcome = simulate(Fleet(1000, 10, 40), TIMING, policy=impatient)
    assert sum(purchase.unavailable > 0 for purchase in outcome.purchases) > 100
    assert all(purchase.paid for purchase in outcome.purchases)  # after a 503 too
