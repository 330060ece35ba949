"""What a million purchases cost on AWS, at each size of memory.

List prices of us-east-1, without the free tier, looked up on 2026-11-24: https://aws.amazon.com/lambda/pricing/,
https://aws.amazon.com/api-gateway/pricing/, https://aws.amazon.com/cloudwatch/pricing/,
https://aws.amazon.com/sns/pricing/, https://aws.amazon.com/xray/pricing/,
https://aws.amazon.com/systems-manager/pricing/. Init is billed as everything else since August 2025:
https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
"""

import math
from dataclasses import dataclass

from benchmarks.cold import Cold

LOOKED_UP = "2026-11-24"
GB_SECOND = {"x86": 0.0000166667, "arm": 0.0000133334}  # dollars
MILLION_REQUESTS = 0.20
MILLION_API_CALLS = 3.50  # REST API
MILLION_PUBLISHES = 0.50
LOGGED_GB = 0.50
MILLION_TRACES = 5.00
MEMORY = (128, 256, 512, 1024)  # MB

# A function has one vCPU at 1,769 MB, and less in proportion below.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_WHOLE_VCPU = 1769

# Assumptions: bytes that a purchase's three invocations log (our lines, and Lambda's START, END and REPORT), the share
# of the requests that X-Ray records (its default), seconds that Stripe takes to confirm a payment, and the share of
# purchases that meet a cold container.
LOGGED_BYTES = 3 * 800
TRACED_SHARE = 0.05
STRIPE_SECONDS = 0.5
COLD_SHARE = 0.10
# What API Gateway and the network between take, and how long people wait without losing the thread, in seconds
# (https://www.nngroup.com/articles/response-times-3-important-limits/).
GATEWAY_SECONDS = 0.1
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Cost:
    """Of a million purchases, in dollars; ``cold`` and ``warm`` are milliseconds of one, less Stripe's time."""

    memory: int
    cold: float
    warm: float
    x86: float
    arm: float


def at(memory: int, cold: Cold, warm_cpu: float) -> Cost:
    """Return what `POST /billing` costs on Lambda, requests included.

    :param memory: MB.
    :param cold: of a container that is near its upstreams.
    :param warm_cpu: milliseconds of CPU a purchase.
    """
    share = min(1.0, memory / _WHOLE_VCPU)
    # What is computed stretches; what is waited for does not.
    cold_ms, warm_ms = cold.cpu / share + cold.waited, warm_cpu / share
    stripe = STRIPE_SECONDS * 1000
    billed = COLD_SHARE * math.ceil(cold_ms + stripe) + (1 - COLD_SHARE) * math.ceil(warm_ms + stripe)
    gb_seconds = 1e6 * billed / 1000 * memory / 1024
    prices = {name: price * gb_seconds + MILLION_REQUESTS for name, price in GB_SECOND.items()}
    return Cost(memory, cold_ms, warm_ms, prices["x86"], prices["arm"])


def rest() -> dict[str, float]:
    """Return what else AWS charges for a million purchases: what they cause, and Stripe's webhook after each."""
    return {
        "API Gateway, REST: `POST /billing` and `POST /stripe/webhook`": 2 * MILLION_API_CALLS,
        "Lambda, requests of the webhook and of notify": 2 * MILLION_REQUESTS,
        f"CloudWatch Logs, {LOGGED_BYTES / 1e3:.1f} GB": LOGGED_BYTES / 1e3 * LOGGED_GB,
        "SNS, publishing to the topic (delivery to Lambda is free, texts are not counted)": MILLION_PUBLISHES,
        f"X-Ray, {TRACED_SHARE * 100:.0f} % of the requests recorded": 2 * TRACED_SHARE * MILLION_TRACES,
        "Parameter Store, standard parameters and throughput": 0.0,
    }


def chosen(costs: list[Cost]) -> Cost:
    """Return the smallest size at which a purchase that meets a cold container is answered while people are patient."""
    own = (PATIENCE_SECONDS - STRIPE_SECONDS - GATEWAY_SECONDS) * 1000
    return next((cost for cost in costs if cost.cold <= own), costs[-1])
