"""Payments, objects and keys at the Stripe emulator, as stripe-python sees them."""

import base64
import typing

import pytest
import stripe

from devstack.stripe.keys import masked
from tests.support.stripe_client import DECLINED, PAY, VISA, client, refused, send


def card(token):
    return {"payment_method_data": {"type": "card", "card": {"token": token}}}


def assert_whole(stripe_object):
    """Assert that an object and all objects in it have every field that their classes do not declare as optional."""
    for name, hint in type(stripe_object).__annotations__.items():
        optional = type(None) in typing.get_args(hint) or typing.get_origin(hint) is typing.ClassVar
        assert optional or name.startswith("_") or stripe_object[name] is not None, (
            f"{type(stripe_object)} has no {name}"
        )
    for value in (stripe_object[name] for name in stripe_object.to_dict()):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, stripe.StripeObject):
                assert_whole(item)


@pytest.mark.parametrize(
    "way", [{"payment_method": "pm_card_visa"}, {"confirmation_token": "ctoken_visa"}, card("tok_visa")]
)
def test_a_valid_card_pays(v1, way):
    intent = v1.payment_intents.create({**PAY, **way, "description": "notes", "metadata": {"storage": "11"}})
    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 2200, "usd")
    assert (intent.description, intent.metadata.to_dict()) == ("notes", {"storage": "11"})
    assert intent.payment_method.startswith("pm_")
    charge = v1.charges.retrieve(intent.latest_charge)
    assert (charge.status, charge.amount, charge.payment_intent) == ("succeeded", 2200, intent.id)
    assert v1.payment_intents.retrieve(intent.id) == intent
    again = {**PAY, "payment_method": intent.payment_method}
    refused(v1.payment_intents.create, again, param="payment_method")  # a payment method pays once


@pytest.mark.parametrize(
    ("way", "code", "decline_code"),
    [
        ({"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"}, "card_declined", "insufficient_funds"),
        ({"confirmation_token": "ctoken_chargeDeclined"}, "card_declined", "generic_decline"),
        (card("tok_chargeDeclinedExpiredCard"), "expired_card", None),
    ],
)
def test_a_declined_card_is_a_card_error_with_all_its_details(v1, way, code, decline_code):
    expected = {"type": "card_error", "code": code, "decline_code": decline_code}
    error = refused(v1.payment_intents.create, {**PAY, **way}, status=402, **expected)
    assert isinstance(error, stripe.CardError)
    assert "card" in error.user_message
    intent = error.error.payment_intent
    assert (intent.status, intent.amount_received, intent.payment_method) == ("requires_payment_method", 0, None)
    assert (intent.last_payment_error.code, error.error.payment_method.type) == (code, "card")
    assert v1.charges.retrieve(error.error.charge).failure_code == code
    assert v1.payment_intents.retrieve(intent.id) == intent


@pytest.mark.parametrize(
    ("name", "outcome", "code"),
    [
        ("threeDSecure2Required", "succeed", None),
        ("authenticationRequired", "fail", "payment_intent_authentication_failure"),
        ("authenticationRequiredChargeDeclinedInsufficientFunds", "succeed", "card_declined"),
    ],
)
def test_a_payment_waits_for_its_customer_to_authenticate(server, v1, name, outcome, code):
    intent = v1.payment_intents.create({**PAY, **card(f"tok_{name}"), "use_stripe_sdk": True})
    assert (intent.status, intent.amount_received, intent.latest_charge) == ("requires_action", 0, None)
    assert intent.client_secret.startswith(intent.id + "_secret_")
    assert intent.next_action.type == "use_stripe_sdk"
    server.authenticate(intent.id, outcome)
    after = v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.next_action) == ("requires_payment_method" if code else "succeeded", None)
    assert (after.amount_received, getattr(after.last_payment_error, "code", None)) == (0 if code else 2200, code)


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "succeeded"), ("fail", "requires_payment_method")])
@pytest.mark.parametrize(("method", "act"), [("authenticationRequired", "authenticate"), ("processing", "settle")])
def test_a_waiting_payment_ends_once_over_http(server, v1, method, act, outcome, status):
    intent = v1.payment_intents.create({**PAY, "payment_method": f"pm_card_{method}"})
    path = f"/_devstack/payment_intents/{intent.id}/{act}"
    assert send(server, "POST", path, {"outcome": "maybe"})[0] == 400
    assert send(server, "POST", path, {"outcome": outcome})[1]["status"] == status
    assert v1.payment_intents.retrieve(intent.id).processing is None
    assert send(server, "POST", path, {"outcome": outcome})[0] == 400
    assert send(server, "POST", f"/_devstack/payment_intents/pi_x/{act}", {"outcome": outcome})[0] == 404


def test_a_payment_is_disputed_once(server, v1):
    intent = v1.payment_intents.create(VISA)
    path = f"/_devstack/payment_intents/{intent.id}/dispute"
    dispute = v1.disputes.retrieve(send(server, "POST", path)[1]["id"])
    assert_whole(dispute)
    assert (dispute.payment_intent, dispute.charge, dispute.amount) == (intent.id, intent.latest_charge, 2200)
    assert v1.charges.retrieve(intent.latest_charge).disputed is True
    refused(v1.refunds.create, {"payment_intent": intent.id}, code="charge_disputed")
    unpaid = v1.payment_intents.create({**PAY, "payment_method": "pm_card_processing"})
    for other, status in ((path, 400), (path.replace(intent.id, unpaid.id), 400), (path.replace(intent.id, "x"), 404)):
        assert send(server, "POST", other)[0] == status


def test_an_unknown_name_id_or_address_is_an_error(v1):
    for way in ({"payment_method": "pm_x"}, {"confirmation_token": "ctoken_x"}, card("tok_x")):
        refused(v1.payment_intents.create, {**PAY, **way}, code="resource_missing")
    refused(v1.payment_intents.retrieve, "pi_x", status=404, code="resource_missing", param="intent")
    for resource in (v1.charges, v1.refunds, v1.events, v1.webhook_endpoints):
        refused(resource.retrieve, "x_1", status=404, code="resource_missing")
    refused(v1.customers.list, status=404)


def test_a_charge_is_refunded_in_parts_up_to_its_amount(v1):
    intent = v1.payment_intents.create(VISA)
    part = v1.refunds.create({"payment_intent": intent.id, "amount": 2000, "metadata": {"why": "x"}})
    assert (part.status, part.amount, part.charge) == ("succeeded", 2000, intent.latest_charge)
    assert v1.refunds.retrieve(part.id) == part
    refused(v1.refunds.create, {"charge": intent.latest_charge, "amount": 201}, param="amount")
    assert v1.refunds.create({"charge": intent.latest_charge, "reason": "duplicate"}).amount == 200
    refused(v1.refunds.create, {"payment_intent": intent.id}, code="charge_already_refunded")
    assert v1.charges.retrieve(intent.latest_charge).refunded is True
    declined = refused(v1.payment_intents.create, DECLINED, status=402)
    refused(v1.refunds.create, {"payment_intent": declined.error.payment_intent.id})


def test_a_webhook_endpoint_is_managed_and_its_secret_returned_once(v1):
    anywhere = {"url": "http://127.0.0.1:1/", "enabled_events": ["*"]}
    endpoint, *others = [v1.webhook_endpoints.create(anywhere) for _ in range(3)]
    assert_whole(endpoint)
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in v1.webhook_endpoints.retrieve(endpoint.id)
    changed = v1.webhook_endpoints.update(endpoint.id, {"disabled": True, "enabled_events": ["charge.refunded"]})
    assert (changed.status, changed.enabled_events) == ("disabled", ["charge.refunded"])
    pages = v1.webhook_endpoints.list({"limit": 1}).auto_paging_iter()  # newest first
    assert [each.id for each in pages] == [others[1].id, others[0].id, endpoint.id]
    assert v1.webhook_endpoints.delete(endpoint.id).deleted is True
    refused(v1.webhook_endpoints.retrieve, endpoint.id, status=404)
    for url in ("hook", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:0"):
        refused(v1.webhook_endpoints.create, {"url": url, "enabled_events": ["*"]}, code="url_invalid", param="url")
    refused(v1.webhook_endpoints.create, {"url": "http://x.test", "enabled_events": ["charge.eaten"]})


def test_every_object_has_the_fields_that_stripe_python_requires(server, v1):
    intent = v1.payment_intents.create({**VISA, "expand": ["payment_method", "latest_charge"]})
    assert (intent.payment_method.card.last4, intent.payment_method.card.brand) == ("4242", "visa")
    charge = v1.charges.retrieve(intent.latest_charge.id)
    refund = v1.refunds.create({"payment_intent": intent.id})
    processing = v1.payment_intents.create({**PAY, "payment_method": "pm_card_processing"})
    declined = refused(v1.payment_intents.create, DECLINED, status=402).error.payment_intent
    event = v1.events.retrieve(server.events[-1]["id"])
    for item in (intent, charge, refund, processing, declined, event, v1.balance.retrieve()):
        assert_whole(item)


@pytest.mark.parametrize(("mode", "name"), [("test", "pm_card_visa"), ("live", "pm_live_visa")])
def test_a_restricted_key_has_its_mode_and_its_permissions(server, mode, name):
    key = server.keys.issue(mode, ["rak_payment_intent_write", "rak_charge_read"])
    assert key.startswith(f"rk_{mode}_")
    restricted = client(server, key)
    intent = restricted.payment_intents.create({**PAY, "payment_method": name})
    assert intent.livemode is (mode == "live")
    assert restricted.charges.retrieve(intent.latest_charge).livemode is (mode == "live")
    error = refused(restricted.refunds.create, {"payment_intent": intent.id}, status=403)
    assert isinstance(error, stripe.PermissionError)
    assert masked(key) in error.user_message
    assert "rak_charge_write" in error.user_message


def test_each_mode_has_its_own_objects_and_test_names(server, v1):
    live, intent = client(server, mode="live"), v1.payment_intents.create(VISA)
    assert "test mode" in refused(live.payment_intents.retrieve, intent.id, status=404).user_message
    for mode, name in ((live, "pm_card_visa"), (v1, "pm_live_visa")):
        refused(mode.payment_intents.create, {**PAY, "payment_method": name}, code="resource_missing")
    refused(live.payment_intents.create, {**PAY, **card("tok_live_chargeDeclined")}, status=402)


def test_a_key_is_issued_and_revoked_over_http(server):
    key = send(server, "POST", "/_devstack/keys", {"mode": "live"})[1]["key"]
    v1 = client(server, key)
    v1.balance.retrieve()
    assert send(server, "POST", "/_devstack/keys/revoke", {"key": key})[0] == 200
    refused(v1.balance.retrieve, status=401, code="api_key_expired")
    assert send(server, "POST", "/_devstack/keys/revoke", {"key": key})[0] == 400


def test_key_and_form_come_as_stripe_python_or_as_curl_sends_them(server):
    user = base64.b64encode(server.keys.issue("test").encode() + b":").decode()
    assert send(server, "GET", "/v1/balance", Authorization=f"Basic {user}")[0] == 200
    for header in ("", "Bearer ", "Basic !", "Digest x", "Bearer pk_test_abcdefgh"):
        assert send(server, "GET", "/v1/balance", Authorization=header)[0] == 401
    status, response = send(
        server, "POST", "/v1/refunds", "{}", Authorization=f"Basic {user}", Content_Type="application/json"
    )
    assert (status, "content type" in response["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", "{"),
        ("/faults", {"statsu": 500}),
        ("/faults", {"count": True, "status": 500}),
        ("/keys", {}),
        ("/webhooks", {"shuffle": -1}),
    ],
)
def test_an_invalid_body_is_a_400_with_a_sentence(server, path, body):
    status, response = send(server, "POST", "/_devstack" + path, body)
    assert (status, bool(response["error"]["message"])) == (400, True)
    assert send(server, "GET", "/_devstack" + path + "/nothing")[0] == 404
