"""The AWS costs of a million purchases, for several memory sizes of the function.

List prices of us-east-1 without the free tier, checked on the date below:
https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/api-gateway/pricing/,
https://aws.amazon.com/cloudwatch/pricing/, https://aws.amazon.com/sns/pricing/, https://aws.amazon.com/xray/pricing/,
https://aws.amazon.com/systems-manager/pricing/. Lambda bills the init phase since August 2025:
https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
"""

import math
from dataclasses import dataclass

from benchmarks.cold import Cold

PRICES_CHECKED = "2026-11-24"
GB_SECOND = {"x86": 0.0000166667, "arm": 0.0000133334}  # dollars, as all prices
MILLION_REQUESTS = 0.20
_MILLION_API_CALLS = 3.50  # REST API
_MILLION_PUBLISHES = 0.50
_LOGGED_GB = 0.50
_MILLION_TRACES = 5.00
MEMORY = (128, 256, 512, 1024)  # MB

# A function has one vCPU at this memory size in MB, and proportionally less below.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_ONE_VCPU = 1769

# Assumptions.
_LOGGED_BYTES = 3 * 800  # of a purchase's three invocations: our lines, and Lambda's START, END and REPORT
_TRACED_SHARE = 0.05  # X-Ray's default
STRIPE_MS = 500  # to confirm a payment
COLD_SHARE = 0.10  # of purchases that need a cold start
GATEWAY_MS = 100  # API Gateway, and the network to the customer
_PATIENCE_MS = 1000  # https://www.nngroup.com/articles/response-times-3-important-limits/


@dataclass(frozen=True)
class Cost:
    """``x86``, ``arm``: dollars per million purchases. ``cold``, ``warm``: milliseconds of one, without Stripe's."""

    memory: int
    cold: float
    warm: float
    x86: float
    arm: float


def lambda_cost(memory: int, cold: Cold, warm_cpu: float) -> Cost:
    """Calculate the cost of `POST /billing` on Lambda, requests included.

    :param memory: MB.
    :param cold: a cold start near its upstreams.
    :param warm_cpu: CPU milliseconds per purchase.
    """
    share = min(1.0, memory / _ONE_VCPU)
    # Less CPU stretches the computing, but not the waiting.
    cold_ms, warm_ms = cold.cpu / share + cold.waited, warm_cpu / share
    billed = COLD_SHARE * math.ceil(cold_ms + STRIPE_MS) + (1 - COLD_SHARE) * math.ceil(warm_ms + STRIPE_MS)
    gb_seconds = 1e6 * billed / 1000 * memory / 1024
    prices = {name: price * gb_seconds + MILLION_REQUESTS for name, price in GB_SECOND.items()}
    return Cost(memory, cold_ms, warm_ms, **prices)


# What else AWS charges for a million purchases, each with its Stripe webhook: dollars.
OTHER_COSTS = {
    "API Gateway, REST: `POST /billing` and `POST /stripe/webhook`": 2 * _MILLION_API_CALLS,
    "Lambda requests of the webhook and of notify": 2 * MILLION_REQUESTS,
    f"CloudWatch Logs, {_LOGGED_BYTES / 1e3:.1f} GB": _LOGGED_BYTES / 1e3 * _LOGGED_GB,
    "SNS, publishing to the topic (delivery to Lambda is free; text messages are not included)": _MILLION_PUBLISHES,
    f"X-Ray, {_TRACED_SHARE:.0%} of the requests recorded": 2 * _TRACED_SHARE * _MILLION_TRACES,
    "Parameter Store, standard parameters and throughput": 0.0,
}


def choose(costs: list[Cost]) -> Cost:
    """Return the smallest size at which a purchase with a cold start gets its response while the customer waits."""
    return next((cost for cost in costs if cost.cold <= _PATIENCE_MS - STRIPE_MS - GATEWAY_MS), costs[-1])
