"""A charge: what Stripe receives, which failures are repeated with the same key, and what the caller receives."""

from typing import Any

import pytest

from chalicelib.aws.client import RejectedError
from chalicelib.aws.http_client import (
    ConnectError,
    HttpError,
    ReadTimeout,
    StaleConnectionError,
    UntrustedCertificateError,
)
from chalicelib.billing.payments import scoped_key
from chalicelib.billing.purchase_request import PurchaseRequest
from chalicelib.problems import Problem
from chalicelib.stripe_client.api import API_VERSION
from tests.support.fake_stripe import CALLER, INTENT, KEY, PURCHASE, FakeStripe, error, reply

TIMEOUT, LOST, STALE = ReadTimeout("slow"), HttpError("cut"), StaleConnectionError("closed")
RETRY, DO_NOT_RETRY = {"Stripe-Should-Retry": "true"}, {"Stripe-Should-Retry": "false"}
DECLINED = error(402, "card_error", code="card_declined", decline_code="lost_card", payment_intent={"id": "pi_2"})
# Stripe stores these results for the idempotency key, so a repeat with it would be pointless.
FINAL = {"card_error", "invalid_request", "idempotency_key_reused"}
ATTEMPTS = 4


def charge(stripe: FakeStripe) -> Problem:
    with pytest.raises(Problem) as raised:
        stripe.payments.charge(PURCHASE, CALLER)
    return raised.value


def assert_one_key(stripe: FakeStripe) -> None:
    assert {call.idempotency_key for call in stripe.calls} == {scoped_key("dev", CALLER, PURCHASE.idempotency_key)}


OUTCOMES = {
    "401": (error(401), 1, 503, "stripe_key_rejected"),
    "403": (error(403), 1, 503, "stripe_key_rejected"),
    "declined": (DECLINED, 1, 402, "card_declined"),
    "expired card": (error(402, "card_error", code="expired_card"), 1, 402, "expired_card"),
    "card error without a code": (error(402, "card_error"), 1, 402, "card_declined"),
    "402, retry": (error(402, "card_error", RETRY, code="card_declined"), ATTEMPTS, 402, "card_declined"),
    "unknown token": (error(400, "invalid_request_error", param="payment_method"), 1, 400, "invalid_request"),
    "used token": (error(400, "invalid_request_error", code="token_already_used"), 1, 400, "invalid_request"),
    "another parameter": (error(400, "invalid_request_error", param="amount"), 1, 502, "payment_provider_error"),
    "400, retry": (error(400, "invalid_request_error", RETRY), ATTEMPTS, 502, "payment_provider_error"),
    "other parameters": (error(400, "idempotency_error"), 1, 409, "idempotency_key_reused"),
    "409": (error(409, "idempotency_error"), ATTEMPTS, 409, "idempotency_key_in_use"),
    "409, do not retry": (error(409, "idempotency_error", DO_NOT_RETRY), 1, 409, "idempotency_key_in_use"),
    "429": (error(429), 1, 429, "rate_limited"),
    "500": (error(500), ATTEMPTS, 502, "payment_provider_error"),
    "500, do not retry": (error(500, headers=DO_NOT_RETRY), 1, 502, "payment_provider_error"),
    "503 page": (reply(b"<html>maintenance</html>", 503), ATTEMPTS, 502, "payment_provider_error"),
    "redirect": (reply(b"", 302), 1, 502, "payment_provider_error"),
    "402 nonsense": (reply({"error": "nope"}, 402), 1, 502, "payment_provider_error"),
    "400 null": (reply({"error": None}, 400), 1, 502, "payment_provider_error"),
    "timeout": (TIMEOUT, 2, 504, "outcome_unknown"),  # 8 s each: a third could end after the limit
    "lost": (LOST, ATTEMPTS, 502, "payment_provider_error"),
    "stale connection": (STALE, ATTEMPTS, 502, "payment_provider_error"),
    "not reached": (ConnectError("refused"), ATTEMPTS, 502, "payment_provider_error"),
    "another server": (UntrustedCertificateError("expired"), 1, 502, "payment_provider_error"),
}  # fmt: skip
MALFORMED = [
    b"<html>", b"\xff\xfe\x00", b"[]", b"null", b"{}", {"id": "pi_1"}, INTENT | {"id": None}, INTENT | {"id": {}},
    INTENT | {"currency": None}, INTENT | {"amount": 1}, INTENT | {"amount": "4400"}, INTENT | {"livemode": True},
    INTENT | {"metadata": {}}, INTENT | {"metadata": None}, INTENT | {"created": None}, INTENT | {"status": "canceled"},
    INTENT | {"status": "requires_action", "client_secret": None} | {"livemode": None},
]  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_failure_that_stays_is_repeated_with_one_key_or_not_at_all(name: str):
    response, calls, status, code = OUTCOMES[name]
    stripe = FakeStripe(response)
    problem = charge(stripe)
    assert (problem.status, problem.code, len(stripe.calls)) == (status, code, calls)
    assert_one_key(stripe)
    repeat_with = {} if problem.kind in FINAL else {"Idempotency-Key": PURCHASE.idempotency_key}
    seconds = {"idempotency_key_in_use": "1", "rate_limited": "2"}.get(code)
    assert problem.headers == repeat_with | ({"Retry-After": seconds} if seconds else {})
    assert "inner workings" not in problem.detail or problem.kind == "card_error"
    assert status != 503 or "inner workings" not in problem.cause  # Stripe's message has the key's last characters
    if status in (502, 504):
        assert PURCHASE.idempotency_key in problem.detail
        assert problem.cause


@pytest.mark.parametrize("body", MALFORMED, ids=str)
def test_a_malformed_payment_is_requested_again_and_not_passed_on(body: Any):
    stripe = FakeStripe(reply(body))
    assert charge(stripe).code == "payment_provider_error"
    assert len(stripe.calls) == ATTEMPTS


@pytest.mark.parametrize(
    "first",
    [
        error(409, "idempotency_error"), error(500), error(400, "invalid_request_error", RETRY),
        error(402, "card_error", RETRY), reply({}), LOST, STALE, TIMEOUT, ConnectError("refused"),
    ],
)  # fmt: skip
def test_one_failure_is_hidden_from_the_caller_by_a_second_call_with_the_same_key(first):
    stripe = FakeStripe(first, reply())
    payment = stripe.payments.charge(PURCHASE, CALLER)
    assert (payment.id, payment.status, payment.amount, payment.storage) == ("pi_1", "succeeded", 4400, 22)
    assert len(stripe.calls) == 2
    assert_one_key(stripe)


@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        *((LOST, then, "payment_provider_error") for then in (error(429), error(409), error(401), error(403))),
        *((TIMEOUT, then, "outcome_unknown") for then in (error(429), error(409), error(401), error(500), LOST)),
        (LOST, TIMEOUT, "outcome_unknown"),
        (error(500), error(429), "payment_provider_error"),
        (error(409), error(429), "rate_limited"),  # the first was not executed
        (TIMEOUT, DECLINED, "card_declined"),
        (LOST, error(400, "idempotency_error"), "idempotency_key_reused"),
    ],
)
def test_a_later_failure_does_not_hide_that_an_earlier_attempt_may_have_charged(first, then, code):
    problem = charge(FakeStripe(first, then))
    assert problem.code == code
    assert code == "rate_limited" or "charged nothing" not in problem.detail


@pytest.mark.parametrize("field", ["payment_method", "confirmation_token", "source"])
def test_a_token_that_stripe_does_not_know_is_a_bad_field(field: str):
    param = "payment_method_data[card][token]" if field == "source" else field
    stripe = FakeStripe(error(400, "invalid_request_error", param=param))
    with pytest.raises(Problem) as raised:
        stripe.payments.charge(PURCHASE._replace(payment_field=field), CALLER)
    assert [error["field"] for error in raised.value.members["errors"]] == [field]


def test_a_decline_has_stripes_codes_message_and_payment():
    problem = charge(FakeStripe(DECLINED))
    assert problem.members == {"decline_code": "lost_card", "payment_id": "pi_2"}
    assert problem.detail == "inner workings"  # the one kind of error whose message Stripe writes for the payer


@pytest.mark.parametrize(
    ("sent", "received"), [("7", "7"), ("61", "60"), ("0", "1"), ("", "2"), ("-1", "2"), ("soon", "2"), ("²", "2")]
)
def test_stripes_retry_after_is_passed_on_from_a_second_to_a_minute(sent, received):
    assert charge(FakeStripe(error(429, headers={"Retry-After": sent}))).headers["Retry-After"] == received


def test_a_rotated_key_is_read_and_the_call_repeated_with_the_same_idempotency_key():
    stripe = FakeStripe(reply(), error(401), reply())
    stripe.payments.charge(PURCHASE, CALLER)
    stripe.store.put("sk_test_theNextOne")
    assert stripe.payments.charge(PURCHASE, CALLER).id == "pi_1"
    assert [call.key for call in stripe.calls] == [KEY, KEY, "sk_test_theNextOne"]
    assert (stripe.store.calls, stripe.store.now) == (2, 0.0)
    assert_one_key(stripe)


def test_a_rotated_key_is_waited_for_while_parameter_store_throttles():
    stripe = FakeStripe(reply(), error(401), reply(), throttled_until=1.0)
    stripe.payments.charge(PURCHASE, CALLER)
    stripe.store.put("sk_test_theNextOne")
    stripe.store.throttled_until = stripe.store.now + 8.0
    assert stripe.payments.charge(PURCHASE, CALLER).id == "pi_1"
    assert stripe.calls[-1].key == "sk_test_theNextOne"


@pytest.mark.parametrize(
    ("errors", "replacement", "code"),
    [
        ([RejectedError("AccessDeniedException")], KEY, "stripe_key_unavailable"),
        ([], "sk_live_ofTheOtherMode", "stripe_key_rejected"),
    ],
)
def test_a_rejected_key_whose_replacement_cannot_be_used(errors, replacement, code):
    stripe = FakeStripe(reply(), error(401))
    stripe.payments.charge(PURCHASE, CALLER)
    stripe.store.errors = errors
    stripe.store.put(replacement)
    problem = charge(stripe)
    assert (problem.code, "charged nothing" in problem.detail, len(stripe.calls)) == (code, True, 2)


@pytest.mark.parametrize("key", ["sk_live_ofTheOtherMode", "pk_test_publishable", "nonsense"])
def test_a_key_that_does_not_fit_the_stage_is_not_sent(key: str):
    stripe = FakeStripe(reply(), key=key)
    assert charge(stripe).code == "stripe_key_rejected"
    assert stripe.calls == []


def test_the_key_is_waited_for_while_parameter_store_throttles_and_six_seconds_are_left_for_stripe():
    stripe = FakeStripe(reply(), throttled_until=15.0)
    stripe.payments.charge(PURCHASE, CALLER)
    assert 15.0 <= stripe.store.now <= 18.0


def test_a_key_that_is_not_read_in_time_charges_nothing():
    stripe = FakeStripe(reply(), throttled_until=100.0)
    problem = charge(stripe)
    assert (problem.code, problem.headers["Retry-After"], stripe.calls) == ("stripe_key_unavailable", "5", [])
    assert "/stripeSecretKey/test: ThrottlingException" in problem.cause
    assert 15.0 < stripe.store.now <= 18.0


def test_a_key_rejected_too_late_for_another_call_is_read_by_the_next_purchase():
    stripe = FakeStripe(reply(), error(401), error(401), reply())
    stripe.payments.charge(PURCHASE, CALLER)
    stripe.store.put("sk_test_theNextOne")
    stripe.seconds = 14.5  # no call starts 14 s after the purchase, since it takes up to 10
    assert charge(stripe).code == "stripe_key_rejected"
    assert (stripe.store.calls, len(stripe.calls)) == (1, 2)
    stripe.seconds = 0.0
    assert stripe.payments.charge(PURCHASE, CALLER).id == "pi_1"


def test_a_call_ends_24_seconds_after_the_purchase_began():
    stripe = FakeStripe(TIMEOUT)
    stripe.store.now = 100.0
    charge(stripe)
    assert {call.deadline for call in stripe.calls} == {124.0}
    assert 116.0 <= stripe.store.now <= 124.0


@pytest.mark.parametrize(
    ("field", "token", "source"),
    [
        ("payment_method", "pm_1", {"payment_method": "pm_1"}),
        ("confirmation_token", "ctoken_1", {"confirmation_token": "ctoken_1"}),
        ("source", "tok_1", {"payment_method_data[type]": "card", "payment_method_data[card][token]": "tok_1"}),
    ],
)
def test_stripe_receives_the_amount_the_source_and_who_pays(field, token, source):
    stripe = FakeStripe(reply())
    stripe.payments.charge(PurchaseRequest(22, field, token, "k"), CALLER)
    (call,) = stripe.calls
    assert (call.method, call.target, call.version) == ("POST", "/v1/payment_intents", API_VERSION)
    assert call.form == source | {
        "amount": "4400",
        "currency": "usd",
        "confirm": "true",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
        "use_stripe_sdk": "true",
        "description": "Scratch charge",
        "metadata[storage]": "22",
        "metadata[stage]": "dev",
        "metadata[caller]": CALLER,
    }


@pytest.mark.parametrize("status", ["processing", "requires_action"])
def test_only_a_payment_that_needs_authentication_has_its_client_secret(status: str):
    payment = FakeStripe(reply(INTENT | {"status": status})).payments.charge(PURCHASE, CALLER).to_json()
    assert payment["status"] == status
    assert payment.get("client_secret") == ("pi_1_secret_2" if status == "requires_action" else None)


def test_stripes_key_differs_for_each_stage_caller_and_key_and_repeats():
    scopes = [("dev", "a", "k"), ("prod", "a", "k"), ("dev", "b", "k"), ("dev", "a", "l"), ("dev", "ak", "")]
    scopes += [("deva", "", "k"), ("de", "va", "k"), ("dev", "", "ak")]
    keys = [scoped_key(*scope) for scope in scopes]
    assert len(set(keys)) == len(scopes)
    assert keys == [scoped_key(*scope) for scope in scopes]
    assert all(key.isascii() and len(key) <= 255 for key in keys)
    stripe = FakeStripe(reply(), stage="featureX")
    stripe.payments.charge(PURCHASE, CALLER)
    assert stripe.calls[0].idempotency_key == scoped_key("featureX", CALLER, PURCHASE.idempotency_key)
