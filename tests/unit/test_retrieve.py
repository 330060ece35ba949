"""A payment's status: what each PaymentIntent becomes, and that only the payer sees it."""

from typing import Any

import pytest

from chalicelib.aws.http_client import HttpError, ReadTimeout
from chalicelib.problems import Problem
from tests.support.fake_stripe import CALLER, INTENT, FakeStripe, error, reply

DECLINED = {"code": "card_declined", "decline_code": "lost_card"}


def retrieve(stripe: FakeStripe, payment_id: str = "pi_1") -> dict[str, Any]:
    return stripe.payments.retrieve(payment_id, CALLER).to_json()


def problem(stripe: FakeStripe, payment_id: str = "pi_1") -> Problem:
    with pytest.raises(Problem) as raised:
        retrieve(stripe, payment_id)
    return raised.value


@pytest.mark.parametrize(
    ("intent", "status", "members"),
    [
        ({}, "succeeded", {}),
        ({"latest_charge": {"refunded": False, "amount_refunded": 100}}, "succeeded", {}),
        ({"latest_charge": {"refunded": True}}, "refunded", {}),
        ({"status": "processing", "latest_charge": {"refunded": True}}, "processing", {}),
        ({"status": "requires_action"}, "requires_action", {"client_secret": "pi_1_secret_2"}),
        ({"status": "canceled"}, "failed", {"code": "canceled"}),
        ({"status": "requires_payment_method"}, "failed", {"code": "requires_payment_method"}),
        ({"status": "requires_payment_method", "last_payment_error": DECLINED}, "failed", DECLINED),
        ({"status": "canceled", "last_payment_error": {"message": "?"}}, "failed", {"code": "canceled"}),
    ],
)
def test_a_payment_has_the_status_that_its_payer_needs(intent, status, members):
    stripe = FakeStripe(reply(INTENT | intent))
    same = {name: INTENT[name] for name in ("id", "amount", "currency", "created")}
    assert retrieve(stripe) == {**same, "storage": 22, "status": status, **members}
    assert stripe.calls[0].target == "/v1/payment_intents/pi_1?expand[0]=latest_charge"


@pytest.mark.parametrize(
    "metadata", [None, {}, INTENT["metadata"] | {"caller": "us-east-1:mallory"}, INTENT["metadata"] | {"stage": "prod"}]
)
def test_another_callers_or_stages_payment_is_not_found_exactly_like_none(metadata):
    missing = problem(FakeStripe(error(404, "invalid_request_error", code="resource_missing")))
    others = problem(FakeStripe(reply(INTENT | {"metadata": metadata})))
    assert (others.kind, others.detail, others.members, others.headers) == ("not_found", missing.detail, {}, {})


@pytest.mark.parametrize("payment_id", ["ch_1", "pi_", "pi_..%2Fcharges", "pi_1?expand[]=customer", "pi_" + "a" * 251])
def test_what_is_no_payment_id_is_not_sent_to_stripe(payment_id):
    stripe = FakeStripe(reply())
    assert problem(stripe, payment_id).kind == "not_found"
    assert stripe.calls == []


@pytest.mark.parametrize(
    ("response", "code", "calls"),
    [
        (HttpError("cut"), "payment_provider_error", 4),
        (ReadTimeout("slow"), "payment_provider_error", 2),
        (reply(b"<html>"), "payment_provider_error", 4),
        (reply(INTENT | {"id": "pi_2"}), "payment_provider_error", 4),
        (reply(INTENT | {"status": "requires_capture"}), "payment_provider_error", 4),
        (reply(INTENT | {"livemode": True}), "payment_provider_error", 4),
        (error(400, "invalid_request_error"), "payment_provider_error", 1),
        (error(429), "rate_limited", 1),
        (error(401), "stripe_key_rejected", 1),
    ],
)
def test_a_failure_of_stripe_is_not_the_callers(response, code, calls):
    stripe = FakeStripe(response)
    failure = problem(stripe)
    assert (failure.code, len(stripe.calls)) == (code, calls)
    assert "Idempotency-Key" not in failure.headers
    assert failure.cause
