"""Refunds, lists, endpoints and the balance at the Stripe emulator, and the fields of all its objects."""

import typing

import pytest
import stripe

from devstack.stripe.server import StripeServer
from tests.support.stripe_client import PAY, client, refused


@pytest.fixture(scope="module")
def server():
    with StripeServer() as running:
        yield running


@pytest.fixture(scope="module")
def v1(server):
    return client(server, server.keys.issue("test"))


def test_a_charge_is_refunded_in_parts_up_to_its_amount(v1):
    intent = v1.payment_intents.create({**PAY, "payment_method": "pm_card_visa"})
    part = v1.refunds.create({"payment_intent": intent.id, "amount": 2000, "metadata": {"why": "x"}})
    assert (part.status, part.amount, part.charge) == ("succeeded", 2000, intent.latest_charge)
    assert (part.metadata.to_dict(), v1.refunds.retrieve(part.id)) == ({"why": "x"}, part)
    error = refused(v1.refunds.create, {"charge": intent.latest_charge, "amount": 201}, param="amount")
    assert "greater than unrefunded amount" in error.user_message
    assert v1.refunds.create({"charge": intent.latest_charge, "reason": "duplicate"}).amount == 200
    refused(v1.refunds.create, {"payment_intent": intent.id}, code="charge_already_refunded")
    assert v1.charges.retrieve(intent.latest_charge).refunded is True
    assert [refund.amount for refund in v1.refunds.list({"payment_intent": intent.id}).data] == [200, 2000]


def test_a_declined_payment_is_not_refunded(v1):
    error = refused(v1.payment_intents.create, {**PAY, "payment_method": "pm_card_chargeDeclined"}, status=402)
    for params in ({"payment_intent": error.error.payment_intent.id}, {"charge": error.error.charge}):
        assert "does not have a successful charge" in refused(v1.refunds.create, params).user_message


def test_lists_come_in_pages_newest_first():
    with StripeServer() as server:
        v1 = client(server, server.keys.issue("test"))
        ids = [v1.payment_intents.create({"amount": 100 + i, "currency": "usd"}).id for i in range(5)][::-1]
        first = v1.payment_intents.list({"limit": 2})
        assert ([intent.id for intent in first.data], first.has_more) == (ids[:2], True)
        rest = v1.payment_intents.list({"starting_after": ids[1]})
        assert ([intent.id for intent in rest.data], rest.has_more) == (ids[2:], False)
        assert [intent.id for intent in v1.payment_intents.list({"limit": 2}).auto_paging_iter()] == ids
        back = v1.payment_intents.list({"ending_before": ids[3], "limit": 2})
        assert ([intent.id for intent in back.data], back.has_more) == (ids[1:3], True)
        assert v1.payment_intents.list({"created": {"lt": first.data[0].created - 60}}).data == []
        refused(v1.payment_intents.list, {"starting_after": "pi_x"}, code="resource_missing", param="starting_after")
        refused(v1.payment_intents.list, {"limit": 101}, param="limit")


def test_the_secret_of_a_webhook_endpoint_is_returned_only_once(v1):
    endpoint = v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/hook", "enabled_events": ["charge.refunded"]})
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in v1.webhook_endpoints.retrieve(endpoint.id)
    changed = v1.webhook_endpoints.update(endpoint.id, {"disabled": True, "enabled_events": ["*"]})
    assert (changed.status, changed.enabled_events) == ("disabled", ["*"])
    assert endpoint.id in [each.id for each in v1.webhook_endpoints.list().data]
    assert v1.webhook_endpoints.delete(endpoint.id).deleted is True
    refused(v1.webhook_endpoints.retrieve, endpoint.id, status=404)
    refused(v1.webhook_endpoints.create, {"url": "hook", "enabled_events": ["*"]}, code="url_invalid", param="url")
    refused(v1.webhook_endpoints.create, {"url": "http://x.test", "enabled_events": ["charge.eaten"]})


def test_the_balance_is_charges_minus_refunds():
    with StripeServer() as server:
        v1 = client(server, server.keys.issue("test"))
        intent = v1.payment_intents.create({**PAY, "payment_method": "pm_card_visa"})
        v1.refunds.create({"payment_intent": intent.id, "amount": 200})
        assert [(funds.amount, funds.currency) for funds in v1.balance.retrieve().pending] == [(2000, "usd")]


def test_every_object_has_the_fields_that_stripe_python_requires(v1):
    intent = v1.payment_intents.create({**PAY, "payment_method": "pm_card_visa", "expand": ["payment_method"]})
    endpoint = v1.webhook_endpoints.create({"url": "http://127.0.0.1:1", "enabled_events": ["*"]})
    objects = [
        intent,
        intent.payment_method,
        v1.charges.retrieve(intent.latest_charge),
        v1.refunds.create({"payment_intent": intent.id}),
        v1.events.list().data[0],
        endpoint,
        v1.balance.retrieve(),
    ]
    for item in objects:
        assert_whole(item)
    error = refused(v1.payment_intents.create, {**PAY, "payment_method": "pm_card_chargeDeclined"}, status=402)
    assert_whole(error.error.payment_intent)


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


def test_ids_are_expanded_on_request(v1):
    intent = v1.payment_intents.create(
        {**PAY, "payment_method": "pm_card_visa", "expand": ["latest_charge.payment_intent", "payment_method"]}
    )
    assert intent.latest_charge.payment_intent.id == intent.id
    assert intent.payment_method.card.last4 == "4242"
    listed = v1.payment_intents.list({"limit": 1, "expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.object == "charge"
    assert isinstance(v1.payment_intents.retrieve(intent.id).latest_charge, str)
