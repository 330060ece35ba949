"""The Stripe emulator validates parameters by the types in stripe-python."""

import contextlib
import http.client
import json
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.stripe import forms
from devstack.stripe.errors import StripeError
from devstack.stripe.server import StripeServer

HERE = {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}
PAY = {"amount": "2200", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa", **HERE}


@pytest.fixture(scope="module")
def server():
    with StripeServer() as running:
        yield running


def post(server, params, path="/v1/payment_intents", **headers):
    """Post a form unchanged, and return status and body. stripe-python would reject some of these forms."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    key = server.keys.issue("test")
    body = params if isinstance(params, str) else urlencode(params)
    form = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, body, {**form, **{k.replace("_", "-"): v for k, v in headers.items()}})
    response = connection.getresponse()
    value = json.loads(response.read())
    connection.close()
    return response.status, value


def without(name):
    return {key: value for key, value in PAY.items() if key != name}


REJECTED = [
    ({**PAY, "foo": "1"}, "parameter_unknown", "foo", "Received unknown parameter: foo"),
    ({**PAY, "source": "tok_visa"}, "parameter_unknown", "source", "Received unknown parameter: source"),
    ({**PAY, "api_key": "x"}, "parameter_unknown", "api_key", "Received unknown parameter: api_key"),
    ({**PAY, "shipping[foo]": "1"}, "parameter_unknown", "shipping[foo]", "unknown parameter: shipping[foo]"),
    (without("amount"), "parameter_missing", "amount", "Missing required param: amount."),
    (without("currency"), "parameter_missing", "currency", "Missing required param: currency."),
    ({**PAY, "shipping[name]": "a"}, "parameter_missing", "shipping[address]", "shipping[address]"),
    ({**PAY, "amount": "ten"}, "parameter_invalid_integer", "amount", "Invalid integer: ten"),
    ({**PAY, "amount": "1.5"}, "parameter_invalid_integer", "amount", "Invalid integer: 1.5"),
    ({**PAY, "amount": "-1"}, "parameter_invalid_integer", "amount", "greater than or equal to 1"),
    ({**PAY, "amount": "49"}, "amount_too_small", "amount", "Amount must be at least $0.50 usd"),
    ({**PAY, "amount": "100000000"}, "amount_too_large", "amount", "Amount must be no more than $999,999.99"),
    ({**PAY, "amount": ""}, "parameter_invalid_empty", "amount", "You passed an empty string for 'amount'"),
    ({**PAY, "confirm": "yes"}, None, "confirm", "Invalid boolean: yes"),
    ({**PAY, "currency": "xxx"}, None, "currency", "Invalid currency: xxx"),
    ({**PAY, "currency[a]": "usd"} | {"currency": ""}, None, "currency", "Invalid parameters"),
    ({**PAY, "metadata": "x"}, None, "metadata", "Invalid object"),
    ({**PAY, "metadata[a][b]": "x"}, None, "metadata[a]", "Invalid string"),
    ({**PAY, "metadata[a]": "x" * 501}, None, "metadata[a]", "up to 500 characters"),
    ({**PAY, "metadata[" + "x" * 41 + "]": "x"}, None, "metadata[" + "x" * 41 + "]", "up to 40 characters"),
    ({**PAY, **{f"metadata[{i}]": "x" for i in range(51)}}, None, "metadata", "up to 50 keys"),
    ({**PAY, "expand": "latest_charge"}, None, "expand", "Invalid array"),
    ({**PAY, "expand[]": "id"}, None, "expand", "This property cannot be expanded (id)."),
    ({**PAY, "setup_future_usage": "never"}, None, "setup_future_usage", "must be one of off_session, or on_session"),
    ({**PAY, "confirmation_token": "ctoken_visa"}, "parameters_exclusive", None, "confirmation_token, payment_method"),
    ({**PAY, "payment_method_data[type]": "card"}, "parameters_exclusive", None, "payment_method_data"),
    ({**PAY, "confirm": "false", "off_session": "true"}, None, "off_session", "unless `confirm` is set to true"),
    ({**PAY, "capture_method": "manual"}, None, "capture_method", "captures at once"),
]


@pytest.mark.parametrize(("params", "code", "param", "words"), REJECTED)
def test_invalid_parameters_are_rejected(server, params, code, param, words):
    status, body = post(server, params)
    assert status == 400
    error = body["error"]
    assert (error["type"], error.get("code"), error.get("param")) == ("invalid_request_error", code, param)
    assert words in error["message"]


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"payment_method_data[card][token]": "tok_visa"}, "payment_method_data[type]"),
        ({"payment_method_data[type]": "card"}, "payment_method_data[card]"),
        (
            {"payment_method_data[type]": "card", "payment_method_data[card][number]": "4"},
            "payment_method_data[card][number]",
        ),
        ({"payment_method_data[type]": "klarna"}, "payment_method_data[type]"),
        ({"payment_method_data[type]": "gold"}, "payment_method_data[type]"),
    ],
)
def test_payment_method_data_is_a_cards_token(server, data, param):
    status, body = post(server, {**without("payment_method"), **data})
    assert (status, body["error"]["param"]) == (400, param)


def test_each_notation_of_a_list_is_accepted(server):
    for names in (["expand[]"], ["expand[0]"], ["expand[3]"], ["expand[0]", "expand[1]"]):
        status, body = post(server, [*PAY.items(), *((name, "latest_charge") for name in names)])
        assert (status, body.get("latest_charge", {}).get("object")) == (200, "charge"), body


def test_parameters_are_accepted_in_the_query_string(server):
    assert post(server, "", path=f"/v1/payment_intents?{urlencode(PAY)}")[0] == 200


def test_a_body_that_is_not_a_form_is_rejected(server):
    status, body = post(server, json.dumps(PAY), Content_Type="application/json")
    assert status == 400
    assert "check that your POST content type" in body["error"]["message"]


def test_a_malformed_version_is_rejected(server):
    assert post(server, PAY, Stripe_Version="2026-10-28.endive")[0] == 200
    status, body = post(server, PAY, Stripe_Version="latest")
    assert (status, body["error"]["message"]) == (400, "Invalid Stripe API version: latest")


def test_refund_parameters_are_validated(server):
    for params, words in [
        ({}, "payment_intent or charge"),
        ({"charge": "ch_1", "payment_intent": "pi_1"}, "only specify one"),
        ({"charge": "ch_1", "amount": "0"}, "Invalid positive integer"),
        ({"charge": "ch_1", "reason": "regret"}, "must be one of duplicate, fraudulent, or requested_by_customer"),
    ]:
        status, body = post(server, params, path="/v1/refunds")
        assert status == 400
        assert words in body["error"]["message"]


NAMES = st.text("ab[]0", min_size=1, max_size=8)


@given(st.lists(st.tuples(NAMES, st.text(max_size=5)), max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_form_is_decoded_or_rejected(pairs):
    with contextlib.suppress(StripeError):
        assert bool(forms.decode(urlencode(pairs))) == bool(pairs)


def test_brackets_nest():
    assert forms.decode("a[b][c]=1&a[b][d]=&e[]=x&e[]=y&f[0][g]=1&f[1][g]=2") == {
        "a": {"b": {"c": "1", "d": ""}},
        "e": ["x", "y"],
        "f": [{"g": "1"}, {"g": "2"}],
    }


def test_an_invalid_parameter_charges_nothing(server):
    before = len(server.payment_intents)
    for wrong in ({"expand[]": "data.latest_charge"}, {"expand[]": "latest_charge.foo"}, {"metadata[a]": "x" * 501}):
        assert post(server, {**PAY, **wrong}, Idempotency_Key="free again")[0] == 400
    assert len(server.payment_intents) == before
    assert post(server, PAY, Idempotency_Key="free again")[0] == 200


def test_names_that_nest_too_deep_are_rejected(server):
    assert post(server, {"a" + "[b]" * 10_000: "c"})[0] == 400
