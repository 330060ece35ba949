"""Many containers at once: purchases while Parameter Store throttles. docs/fleet.md has the figures."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.fleet_simulation import Fleet, Policy, Timing, simulate
from devstack.runtime_api import LambdaContainer
from tests.support.lambda_container import ContainerResponse, billing_event, stage_variables
from tests.support.stack import PROJECT, PURCHASE, Stack

# Seconds, close to those that `make bench-fleet` measures.
TIMING = Timing(first_read=[0.1], imports=[0.03], read=[0.03], throttled_read=[0.03], purchase=[1.0])


@pytest.mark.slow
def test_a_small_fleet_of_real_containers_makes_one_charge_per_purchase(stack: Stack):
    """With AWS's own runtime client, all at the same moment, at 4 reads per second."""
    charges_before = len(stack.stripe.payment_intents)
    stack.aws.limit_reads(4)
    environment = {**stack.environment(), **stage_variables("dev")}

    def buy(key: str) -> ContainerResponse:
        with LambdaContainer(PROJECT, "app.app", environment) as container:
            return ContainerResponse(container.invoke(billing_event(PURCHASE, Idempotency_Key=key)))

    with ThreadPoolExecutor(12) as clients:
        responses = list(clients.map(buy, [str(uuid.uuid4()) for _ in range(12)]))
    assert [response.status_code for response in responses] == [200] * 12
    assert len({response.json()["id"] for response in responses}) == 12
    assert len(stack.stripe.payment_intents) == charges_before + 12
    assert stack.reads() > 12  # some were throttled


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_cold_containers_within_ten_seconds_respond_before_api_gateway_times_out(seed: int):
    outcome = simulate(Fleet(1000, 10, 40), TIMING, seed=seed)
    assert all(purchase.responded < 29 for purchase in outcome.purchases)
    assert sum(purchase.unavailable > 0 for purchase in outcome.purchases) <= 5
    assert outcome.successful_reads == 1000


def test_the_simulation_distinguishes_a_bad_policy():
    impatient = Policy("", lambda _failed, left, _patient: random.random() if left > 1 else None, request=3.0)
    outcome = simulate(Fleet(1000, 10, 40), TIMING, policy=impatient)
    assert sum(purchase.unavailable > 0 for purchase in outcome.purchases) > 100
    assert all(purchase.paid for purchase in outcome.purchases)  # after a 503 too
