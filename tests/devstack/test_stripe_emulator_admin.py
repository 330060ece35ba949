"""The Stripe emulator's own addresses under /_devstack/."""

import http.client
import json
from urllib.parse import urlsplit

import pytest
import stripe

from devstack.stripe.server import StripeServer
from tests.support.stripe_client import PAY

VISA = {**PAY, "payment_method": "pm_card_visa"}


@pytest.fixture
def server():
    with StripeServer() as running:
        yield running


@pytest.fixture
def v1(server):
    key = server.keys.issue("test")
    return stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=0).v1


def create(v1):
    return v1.payment_intents.create(VISA)


def devstack(server, method, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request(method, "/_devstack" + path, body if isinstance(body, str) else json.dumps(body))
    response = connection.getresponse()
    value = json.loads(response.read())
    connection.close()
    return response.status, value


def test_faults_can_be_set_over_http(server, v1):
    assert devstack(server, "POST", "/faults", {"count": 2, "status": 503})[0] == 200
    with pytest.raises(stripe.APIError):
        create(v1)
    assert devstack(server, "DELETE", "/faults")[0] == 200
    assert create(v1).status == "succeeded"


def test_payments_can_be_authenticated_over_http(server, v1):
    for outcome, status in (("succeed", "succeeded"), ("fail", "requires_payment_method")):
        intent = v1.payment_intents.create({**PAY, "payment_method": "pm_card_authenticationRequired"})
        path = f"/payment_intents/{intent.id}/authenticate"
        assert devstack(server, "POST", path, {"outcome": outcome})[1]["status"] == status
        assert devstack(server, "POST", path, {"outcome": outcome})[0] == 400
    assert devstack(server, "POST", "/payment_intents/pi_x/authenticate", {"outcome": "fail"})[0] == 404
    assert devstack(server, "POST", path, {"outcome": "maybe"})[0] == 400


def test_keys_can_be_issued_and_revoked_over_http(server):
    key = devstack(server, "POST", "/keys", {"mode": "live"})[1]["key"]
    assert server.keys.find(key).livemode is True
    assert devstack(server, "POST", "/keys/revoke", {"key": key})[0] == 200
    assert server.keys.find(key) is None
    assert devstack(server, "POST", "/keys/revoke", {"key": key})[0] == 400


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/faults", "{", "not valid JSON"),
        ("/faults", [], "must be a JSON object"),
        ("/faults", {"statsu": 500}, "no field 'statsu'"),
        ("/faults", {"status": "500"}, "wrong type"),
        ("/faults", {"status": 99}, "status is 99"),
        ("/keys", {"mode": "test", "restricted_to": [[]]}, "list of names"),
        ("/faults", {"delay": float("inf")}, "0 to 3600"),
        ("/faults", {"count": True, "status": 500}, "wrong type"),
        ("/keys", {}, "'mode' is missing"),
        ("/keys", {"mode": "prod"}, "'test' or 'live'"),
    ],
)
def test_an_invalid_body_is_a_400_with_a_sentence(server, path, body, words):
    status, response = devstack(server, "POST", path, body)
    assert status == 400
    assert words in response["error"]["message"]


def test_the_state_has_counts(server, v1):
    create(v1)
    assert devstack(server, "GET", "/state") == (
        200,
        {"requests": 1, "connections": 2, "payment_intents": {"test": {"succeeded": 1}, "live": {}}},
    )
    assert devstack(server, "GET", "/nothing")[0] == 404
