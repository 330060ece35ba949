"""API keys and modes at the Stripe emulator."""

import base64
import http.client
import json
from urllib.parse import urlsplit

import pytest
import stripe

from devstack.stripe.keys import Keys, masked
from devstack.stripe.server import StripeServer
from tests.support.stripe_client import client

PAY = {
    "amount": 2200,
    "currency": "usd",
    "confirm": True,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "payment_method": "pm_card_visa",
}


@pytest.fixture(scope="module")
def server():
    with StripeServer() as running:
        yield running


def get_balance(server, **headers):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request("GET", "/v1/balance", headers=headers)
    response = connection.getresponse()
    value = json.loads(response.read())
    connection.close()
    return response.status, value


@pytest.mark.parametrize(("mode", "livemode"), [("test", False), ("live", True)])
@pytest.mark.parametrize("restricted_to", [None, ["rak_payment_intent_write", "rak_charge_read"]])
def test_livemode_follows_the_key(server, mode, livemode, restricted_to):
    key = server.keys.issue(mode, restricted_to)
    assert key.startswith(f"{'rk' if restricted_to else 'sk'}_{mode}_")
    v1 = client(server, key)
    name = "pm_live_visa" if livemode else "pm_card_visa"
    intent = v1.payment_intents.create({**PAY, "payment_method": name})
    assert intent.livemode is livemode
    assert v1.charges.retrieve(intent.latest_charge).livemode is livemode


def test_keys_of_one_mode_see_one_account(server):
    first, second = (client(server, server.keys.issue("test")) for _ in range(2))
    assert second.payment_intents.retrieve(first.payment_intents.create(PAY).id).status == "succeeded"


def test_each_mode_has_its_own_objects(server):
    test, live = client(server, server.keys.issue("test")), client(server, server.keys.issue("live"))
    intent = test.payment_intents.create(PAY)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        live.payment_intents.retrieve(intent.id)
    assert caught.value.http_status == 404
    assert caught.value.user_message == (
        f"No such payment_intent: '{intent.id}'; a similar object exists in test mode, but a live mode key was used to "
        "make this request."
    )
    assert intent.id not in [other.id for other in live.payment_intents.list().data]


@pytest.mark.parametrize(
    ("mode", "name", "there", "here"),
    [("live", "pm_card_visa", "test", "live"), ("test", "pm_live_visa", "live", "test")],
)
def test_test_names_of_the_other_mode_are_rejected(server, mode, name, there, here):
    v1 = client(server, server.keys.issue(mode))
    with pytest.raises(stripe.InvalidRequestError) as caught:
        v1.payment_intents.create({**PAY, "payment_method": name})
    assert f"a similar object exists in {there} mode, but a {here} mode key was used" in caught.value.user_message
    assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")


@pytest.mark.parametrize(
    "way",
    [
        {"payment_method": "pm_live_chargeDeclined"},
        {"confirmation_token": "ctoken_live_chargeDeclined"},
        {"payment_method_data": {"type": "card", "card": {"token": "tok_live_chargeDeclined"}}},
    ],
)
def test_live_mode_has_its_own_test_names(server, way):
    v1 = client(server, server.keys.issue("live"))
    params = {name: value for name, value in PAY.items() if name != "payment_method"}
    with pytest.raises(stripe.CardError):
        v1.payment_intents.create({**params, **way})


def test_an_unknown_key_is_masked_in_the_error(server):
    with pytest.raises(stripe.AuthenticationError) as caught:
        client(server, "sk_test_abcdefghijklmnop").balance.retrieve()
    assert caught.value.user_message == "Invalid API Key provided: sk_test_************mnop"


def test_a_revoked_key_is_reported_as_expired(server):
    key = server.keys.issue("test")
    v1 = client(server, key)
    v1.balance.retrieve()
    server.keys.revoke(key)
    with pytest.raises(stripe.AuthenticationError) as caught:
        v1.balance.retrieve()
    assert (caught.value.http_status, caught.value.error.code) == (401, "api_key_expired")
    assert caught.value.user_message == f"Expired API Key provided: {masked(key)}"
    assert key not in str(caught.value.json_body)


def test_the_error_without_a_key_explains_how_to_send_one(server):
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic !"}, {"Authorization": "Digest x"}):
        status, body = get_balance(server, **headers)
        assert status == 401
        assert body["error"]["message"].startswith("You did not provide an API key.")


def test_a_publishable_key_is_rejected(server):
    status, body = get_balance(server, Authorization="Bearer pk_test_abcdefgh")
    assert (status, body["error"]["code"]) == (401, "secret_key_required")


def test_basic_authentication_works_as_curl_sends_it(server):
    user = base64.b64encode(server.keys.issue("test").encode() + b":").decode()
    assert get_balance(server, Authorization=f"Basic {user}")[0] == 200


def test_a_restricted_key_is_limited_to_its_permissions(server):
    key = server.keys.issue("test", ["rak_payment_intent_write"])
    v1 = client(server, key)
    intent = v1.payment_intents.create(PAY)
    assert v1.payment_intents.retrieve(intent.id).id == intent.id
    with pytest.raises(stripe.PermissionError) as caught:
        v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.http_status == 403
    assert caught.value.error.type == "invalid_request_error"
    assert caught.value.user_message.startswith(f"The provided key '{masked(key)}' does not have the required perm")
    assert "Having the 'rak_charge_write' permission would allow" in caught.value.user_message


def test_a_chosen_key_can_be_added(server):
    server.keys.add("rk_live_1234")
    assert client(server, "rk_live_1234").balance.retrieve().livemode is True


@pytest.mark.parametrize("key", ["", "sk_test_", "pk_test_12345678", "sk_prod_12345678", "sk_test_1234 "])
def test_a_malformed_key_is_not_added(key):
    with pytest.raises(ValueError, match="a key is sk_test_"):
        Keys().add(key)


def test_unknown_modes_permissions_and_keys_are_rejected():
    keys = Keys()
    with pytest.raises(ValueError, match="mode"):
        keys.issue("prod")
    with pytest.raises(ValueError, match="no such permission: rak_moon_write"):
        keys.issue("test", ["rak_moon_write"])
    with pytest.raises(ValueError, match="no such key"):
        keys.revoke("sk_test_1234")


def test_repr_does_not_show_the_key():
    keys = Keys()
    key = keys.issue("test")
    assert key not in repr(keys.find(key))
    assert masked("short") == "*hort"
    assert masked("abc") == "***"
