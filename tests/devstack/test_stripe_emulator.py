"""Payments at the Stripe emulator, made with stripe-python."""

import pytest
import stripe

from devstack.stripe.server import StripeServer
from tests.support.stripe_client import HERE, PAY, client, refused


@pytest.fixture(scope="module")
def server():
    with StripeServer() as running:
        yield running


@pytest.fixture(scope="module")
def v1(server):
    return client(server, server.keys.issue("test"))


def card(token):
    return {"payment_method_data": {"type": "card", "card": {"token": token}}}


WAYS = [{"payment_method": "pm_card_visa"}, {"confirmation_token": "ctoken_visa"}, card("tok_visa")]


@pytest.mark.parametrize("way", WAYS)
def test_a_valid_card_pays(v1, way):
    intent = v1.payment_intents.create({**PAY, **way, "description": "notes", "metadata": {"storage": "11"}})
    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 2200, "usd")
    assert (intent.description, intent.metadata.to_dict()) == ("notes", {"storage": "11"})
    assert intent.payment_method.startswith("pm_")
    assert intent.livemode is False
    charge = v1.charges.retrieve(intent.latest_charge)
    assert (charge.status, charge.amount, charge.payment_intent) == ("succeeded", 2200, intent.id)
    assert v1.payment_intents.retrieve(intent.id) == intent


@pytest.mark.parametrize(
    ("name", "brand"),
    [("visa", "visa"), ("mastercard", "mastercard"), ("amex", "amex"), ("visa_debit", "visa"), ("jcb", "jcb")],
)
def test_a_charge_has_the_brand_of_its_card(v1, name, brand):
    expand = {"expand": ["latest_charge"]}
    for way in ({"payment_method": f"pm_card_{name}"}, card(f"tok_{name}")):
        charge = v1.payment_intents.create({**PAY, **way, **expand}).latest_charge
        assert charge.payment_method_details.card.brand == brand


DECLINES = [
    ("chargeDeclined", "card_declined", "generic_decline"),
    ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("chargeDeclinedExpiredCard", "expired_card", None),
    ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("chargeDeclinedProcessingError", "processing_error", None),
    ("chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ("chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
]


@pytest.mark.parametrize(("name", "code", "decline_code"), DECLINES)
def test_a_declined_card_is_a_card_error_with_all_its_details(v1, name, code, decline_code):
    ways = [{"payment_method": f"pm_card_{brand}{name}"} for brand in ("", "visa_")]
    ways += [card(f"tok_{brand}{name}") for brand in ("", "visa_")]
    for way in [*ways, {"confirmation_token": f"ctoken_{name}"}]:
        error = refused(
            v1.payment_intents.create,
            {**PAY, **way},
            status=402,
            type="card_error",
            code=code,
            decline_code=decline_code,
        )
        assert isinstance(error, stripe.CardError)
        assert "card" in error.user_message
        intent = error.error.payment_intent
        assert (intent.status, intent.amount_received, intent.payment_method) == ("requires_payment_method", 0, None)
        assert intent.last_payment_error.code == code
        assert error.error.payment_method.type == "card"
        assert v1.charges.retrieve(error.error.charge).failure_code == code
        assert v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


def test_a_declined_payment_can_be_tried_again_with_another_card(v1):
    error = refused(v1.payment_intents.create, {**PAY, "payment_method": "pm_card_chargeDeclined"}, status=402)
    intent = v1.payment_intents.confirm(error.error.payment_intent.id, {"payment_method": "pm_card_visa"})
    assert (intent.status, intent.last_payment_error) == ("succeeded", None)


NAMES_3DS = [
    {"payment_method": "pm_card_authenticationRequired"},
    {"payment_method": "pm_card_threeDSecure2Required"},
    card("tok_threeDSecure2Required"),
    card("tok_threeDSecureRequired"),
]


@pytest.mark.parametrize("way", NAMES_3DS)
def test_a_customer_who_authenticates_pays(server, v1, way):
    intent = v1.payment_intents.create({**PAY, **way, "use_stripe_sdk": True})
    assert (intent.status, intent.amount_received, intent.latest_charge) == ("requires_action", 0, None)
    assert intent.client_secret.startswith(intent.id + "_secret_")
    assert intent.next_action.type == "use_stripe_sdk"
    assert server.authenticate(intent.id)["status"] == "succeeded"
    after = v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.amount_received, after.next_action) == ("succeeded", 2200, None)


def test_a_customer_who_fails_to_authenticate_does_not_pay(server, v1):
    intent = v1.payment_intents.create({**PAY, "payment_method": "pm_card_authenticationRequired"})
    server.authenticate(intent.id, "fail")
    after = v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.payment_method) == ("requires_payment_method", None)
    assert after.last_payment_error.code == "payment_intent_authentication_failure"


def test_a_card_can_be_declined_after_authentication(server, v1):
    name = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    intent = v1.payment_intents.create({**PAY, "payment_method": name})
    assert server.authenticate(intent.id)["last_payment_error"]["decline_code"] == "insufficient_funds"


def test_a_return_url_makes_the_next_action_a_redirect_unless_the_sdk_is_used(v1):
    params = {**PAY, "payment_method": "pm_card_authenticationRequired", "return_url": "https://example.com/back"}
    assert v1.payment_intents.create(params).next_action.redirect_to_url.return_url == "https://example.com/back"
    assert v1.payment_intents.create({**params, "use_stripe_sdk": True}).next_action.type == "use_stripe_sdk"


@pytest.mark.parametrize(
    ("how", "decline_code"),
    [("error_on_requires_action", "authentication_not_handled"), ("off_session", "authentication_required")],
)
def test_an_off_session_payment_fails_if_it_requires_authentication(v1, how, decline_code):
    params = {**PAY, "payment_method": "pm_card_authenticationRequired", how: True}
    error = refused(
        v1.payment_intents.create, params, status=402, code="authentication_required", decline_code=decline_code
    )
    assert error.error.payment_intent.status == "requires_payment_method"


def test_redirects_need_a_return_url(v1):
    for automatic in ({"automatic_payment_methods": {"enabled": True}}, {}):
        params = {"amount": 2200, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa", **automatic}
        assert "return_url" in refused(v1.payment_intents.create, params).user_message
        assert v1.payment_intents.create({**params, "return_url": "https://example.com"}).status == "succeeded"


def test_a_payment_is_confirmed_later(v1):
    params = {"amount": 2200, "currency": "usd", "automatic_payment_methods": HERE}
    bare = v1.payment_intents.create(params)
    assert bare.status == "requires_payment_method"
    refused(v1.payment_intents.confirm, bare.id, code="payment_intent_unexpected_state")
    intent = v1.payment_intents.create({**params, "payment_method": "pm_card_visa"})
    assert intent.status == "requires_confirmation"
    assert v1.payment_intents.confirm(intent.id).status == "succeeded"


def test_a_payment_that_succeeded_is_neither_confirmed_nor_canceled(v1):
    paid = v1.payment_intents.create({**PAY, "payment_method": "pm_card_visa"})
    for call in (v1.payment_intents.confirm, v1.payment_intents.cancel):
        error = refused(call, paid.id, code="payment_intent_unexpected_state")
        assert error.error.payment_intent.id == paid.id


def test_a_payment_that_requires_action_can_be_canceled(v1):
    waiting = v1.payment_intents.create({**PAY, "payment_method": "pm_card_authenticationRequired"})
    canceled = v1.payment_intents.cancel(waiting.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason, canceled.next_action) == ("canceled", "abandoned", None)
    refused(v1.payment_intents.confirm, waiting.id, code="payment_intent_unexpected_state")


def test_a_payment_method_pays_once(v1):
    method = v1.payment_intents.create({**PAY, "payment_method": "pm_card_visa"}).payment_method
    error = refused(v1.payment_intents.create, {**PAY, "payment_method": method}, param="payment_method")
    assert "previously used" in error.user_message


UNKNOWN = [
    ({"payment_method": "pm_x"}, "No such PaymentMethod: 'pm_x'"),
    ({"confirmation_token": "ctoken_x"}, "No such ConfirmationToken: 'ctoken_x'"),
    (card("tok_x"), "No such token: 'tok_x'"),
    ({"customer": "cus_x"}, "No such customer: 'cus_x'"),
]


@pytest.mark.parametrize(("params", "message"), UNKNOWN)
def test_an_unknown_name_is_an_error_that_repeats_it(v1, params, message):
    assert refused(v1.payment_intents.create, {**PAY, **params}, code="resource_missing").user_message == message


def test_an_unknown_id_is_a_404(v1):
    error = refused(v1.payment_intents.retrieve, "pi_x", status=404, code="resource_missing", param="intent")
    assert error.user_message == "No such payment_intent: 'pi_x'"
    for resource in (v1.charges, v1.refunds, v1.events, v1.webhook_endpoints):
        refused(resource.retrieve, "x_1", status=404, code="resource_missing")


def test_an_unknown_address_is_a_404(v1):
    error = refused(v1.customers.list, status=404)
    assert error.user_message.startswith("Unrecognized request URL (GET: /v1/customers).")
