"""Parts of the Stripe emulator that need no server: forms, parameters, keys, faults, retries and signatures."""

from urllib.parse import urlencode

import pytest
import stripe

from devstack.stripe import forms, parameters
from devstack.stripe.errors import StripeError
from devstack.stripe.faults import NONE, Faults
from devstack.stripe.keys import Keys, masked
from devstack.stripe.routes import find_route
from devstack.stripe.webhook_delivery import signature
from devstack.stripe.webhook_schedule import pauses_after

HERE = {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}
PAY = {"amount": "2200", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa", **HERE}


def without(name):
    return {key: value for key, value in PAY.items() if key != name}


def rejection(params, path="/v1/payment_intents"):
    """Validate a form, and return the error; None if it is valid."""
    route, _ = find_route("POST", path)
    try:
        route.validate_params(parameters.validate(forms.decode(urlencode(params)), route.shape))
    except StripeError as error:
        return error
    return None


DATA = "payment_method_data"
REJECTED = [
    ({**PAY, "foo": "1"}, "parameter_unknown", "foo"),
    (without("amount"), "parameter_missing", "amount"),
    ({**PAY, "shipping[name]": "a"}, "parameter_missing", "shipping[address]"),
    ({**PAY, "amount": "ten"}, "parameter_invalid_integer", "amount"),
    ({**PAY, "amount": "49"}, "amount_too_small", "amount"),
    ({**PAY, "amount": "100000000"}, "amount_too_large", "amount"),
    ({**PAY, "amount": ""}, "parameter_invalid_empty", "amount"),
    ({**PAY, "confirm": "yes"}, None, "confirm"),
    ({**PAY, "metadata[a]": "x" * 501}, None, "metadata[a]"),
    ({**PAY, f"metadata[{'x' * 41}]": "x"}, None, f"metadata[{'x' * 41}]"),
    ({**PAY, **{f"metadata[{i}]": "x" for i in range(51)}}, None, "metadata"),
    ({**PAY, "expand[]": "id"}, None, "expand"),
    ({**PAY, "setup_future_usage": "never"}, None, "setup_future_usage"),
    ({**PAY, "confirmation_token": "ctoken_visa"}, "parameters_exclusive", None),
    ({**PAY, "capture_method": "manual"}, None, "capture_method"),
    (without("confirm"), None, "confirm"),
    ({key: value for key, value in PAY.items() if key not in HERE}, None, "return_url"),
    (without("payment_method"), "payment_intent_unexpected_state", None),
    ({**without("payment_method"), f"{DATA}[card][token]": "tok_visa"}, "parameter_missing", f"{DATA}[type]"),
    ({**without("payment_method"), f"{DATA}[type]": "card"}, "parameter_missing", f"{DATA}[card]"),
    ({**PAY, "amount[a]": "1"}, None, "amount"),
    ({**PAY, "a" + "[b]" * 10_000: "c"}, None, "a"),
]


@pytest.mark.parametrize(("params", "code", "param"), REJECTED)
def test_invalid_parameters_are_rejected(params, code, param):
    error = rejection(params)
    assert error
    assert (error.status, error.error["type"]) == (400, "invalid_request_error")
    assert (error.error.get("code"), error.error.get("param")) == (code, param)


@pytest.mark.parametrize("names", [[], ["expand[]"], ["expand[0]"], ["expand[3]"], ["expand[0]", "expand[1]"]])
def test_valid_parameters_and_each_notation_of_a_list_are_accepted(names):
    assert rejection([*PAY.items(), *((name, "latest_charge") for name in names)]) is None


@pytest.mark.parametrize(
    "params",
    [{}, {"charge": "a", "payment_intent": "b"}, {"charge": "a", "amount": "0"}, {"charge": "a", "reason": "b"}],
)
def test_the_parameters_of_a_refund_are_validated(params):
    assert rejection(params, "/v1/refunds")


def test_brackets_nest():
    decoded = {"a": {"b": {"c": "1", "d": ""}}, "e": ["x", "y"], "f": [{"g": "1"}, {"g": "2"}]}
    assert forms.decode("a[b][c]=1&a[b][d]=&e[]=x&e[]=y&f[0][g]=1&f[1][g]=2") == decoded


@pytest.mark.parametrize("key", ["", "sk_test_", "pk_test_12345678", "sk_prod_12345678", "sk_test_1234 "])
def test_a_malformed_key_is_rejected(key):
    with pytest.raises(ValueError, match="a key is"):
        Keys().add(key)


@pytest.mark.parametrize("arguments", [("prod",), ("test", ["rak_moon_write"])])
def test_an_unknown_mode_or_permission_is_rejected(arguments):
    with pytest.raises(ValueError, match=r"mode is|no such permission"):
        Keys().issue(*arguments)


def test_no_message_shows_a_key():
    keys = Keys()
    key = keys.issue("test")
    assert key not in repr(keys.find(key))
    keys.revoke(key)
    for value, code in ((key, "api_key_expired"), ("sk_test_unknown", None)):
        with pytest.raises(StripeError) as caught:
            keys.authenticate(value)
        assert (caught.value.status, caught.value.error.get("code")) == (401, code)
        assert value not in str(caught.value.error)
        assert masked(value) in caught.value.error["message"]
    assert [masked(value) for value in (key, "short", "abc")] == [f"sk_test_{'*' * 95}{key[-4:]}", "*hort", "***"]


@pytest.mark.parametrize(
    "fault", [{}, {"count": 0, "status": 500}, {"status": 99}, {"status": 200}, {"delay": -1}, {"cut": "later"}]
)
def test_an_invalid_fault_is_rejected(fault):
    with pytest.raises(ValueError, match=" "):
        Faults().add(**fault)


def test_a_call_meets_the_first_fault_that_matches_it():
    faults = Faults()
    refunds = faults.add(status=500, match="/v1/refunds")
    posts = faults.add(2, status=503, match="POST /v1/payment_intents")
    calls = [("GET", "/v1/payment_intents"), *[("POST", "/v1/payment_intents")] * 3, ("GET", "/v1/refunds")]
    assert [faults.next(*call) for call in calls] == [NONE, posts, posts, NONE, refunds]
    lasting = faults.add(None, status=500)
    assert [faults.next("GET", "/v1/balance") for _ in range(3)] == [lasting] * 3
    assert faults.is_active(lasting)
    faults.clear()
    assert (faults.next("GET", "/v1/balance"), faults.is_active(lasting)) == (NONE, False)


def test_pauses_double_up_to_60_first_pauses():
    assert [pauses_after(attempts) for attempts in (1, 2, 3, 4, 5, 6, 7, 8, 2000)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_signature_verifies_with_each_secret_and_with_nothing_changed():
    body = '{"name": "Zoë ✓"}'
    header = signature(body.encode(), 1_800_000_000, ["whsec_new", "whsec_old"])
    verify = stripe.WebhookSignature.verify_header
    assert verify(body, header, "whsec_new")
    assert verify(body, header, "whsec_old")
    later = header.replace("=18", "=19")
    for wrong in ((body + " ", header, "whsec_new"), (body, header, "whsec_x"), (body, later, "whsec_new")):
        with pytest.raises(stripe.SignatureVerificationError):
            verify(*wrong)
