"""Idempotency keys at the Stripe emulator: one execution per key, whatever fails."""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import stripe

from devstack.stripe.server import StripeServer
from tests.support.stripe_client import PAY

VISA = {**PAY, "payment_method": "pm_card_visa"}


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def server(clock):
    with StripeServer(clock=clock) as running:
        yield running


@pytest.fixture
def v1(server):
    return client(server)


def client(server, mode="test"):
    key = server.keys.issue(mode)
    return stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=0).v1


def create(v1, params, key="once"):
    return v1.payment_intents.create(params, {"idempotency_key": key})


def test_same_key_and_parameters_replay_the_first_response(server, v1):
    first, again = create(v1, VISA), create(v1, dict(reversed(VISA.items())))
    assert again == first
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    assert again.last_response.request_id != first.last_response.request_id
    assert len(server.payment_intents) == 1


def test_a_replay_has_the_status_of_the_first_response(server, v1):
    intent = create(v1, {**PAY, "payment_method": "pm_card_authenticationRequired"})
    server.authenticate(intent.id)
    assert create(v1, {**PAY, "payment_method": "pm_card_authenticationRequired"}).status == "requires_action"


def test_a_decline_is_replayed(server, v1):
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            create(v1, {**PAY, "payment_method": "pm_card_chargeDeclined"})
        errors.append(caught.value)
    assert errors[0].json_body == errors[1].json_body
    assert errors[1].headers["Idempotent-Replayed"] == "true"
    assert len(server.payment_intents) == 1


def test_a_500_of_the_execution_is_replayed(server, v1):
    server.faults.add(status=500, saved=True)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            create(v1, VISA)
    assert server.payment_intents == []
    assert create(v1, VISA, "another").status == "succeeded"


def test_the_same_key_with_other_parameters_is_rejected(server, v1):
    create(v1, VISA)
    for call in (lambda: create(v1, {**VISA, "amount": 2300}), lambda: create(v1, {**VISA, "foo": 1})):
        with pytest.raises(stripe.IdempotencyError) as caught:
            call()
        assert (caught.value.http_status, caught.value.error.type) == (400, "idempotency_error")
        assert caught.value.user_message == (
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
            "using a key other than 'once' if you meant to execute a different request."
        )
    assert len(server.payment_intents) == 1


def test_the_same_key_at_another_endpoint_is_rejected(v1):
    create(v1, VISA)
    with pytest.raises(stripe.IdempotencyError):
        v1.refunds.create(VISA, {"idempotency_key": "once"})


def test_a_replaced_api_key_replays_the_same_response(server):
    assert create(client(server), VISA) == create(client(server), VISA)


def test_each_mode_has_its_own_idempotency_keys(server):
    test, live = client(server), client(server, "live")
    create(test, VISA)
    assert create(live, {**PAY, "payment_method": "pm_live_visa"}).status == "succeeded"


def test_an_invalid_parameter_leaves_the_key_unused(v1):
    for wrong in ({**VISA, "foo": 1}, {**VISA, "amount": 1}):
        with pytest.raises(stripe.InvalidRequestError):
            create(v1, wrong)
    assert create(v1, VISA).status == "succeeded"


def test_an_invalid_api_key_leaves_the_key_unused(server):
    key = server.keys.issue("test")
    server.keys.revoke(key)
    v1 = stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=0).v1
    with pytest.raises(stripe.AuthenticationError):
        create(v1, VISA)
    assert create(client(server), {**VISA, "amount": 100}).status == "succeeded"


def test_an_error_of_the_execution_is_replayed(v1):
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            create(v1, {**PAY, "payment_method": "pm_x"})
    assert caught.value.headers["Idempotent-Replayed"] == "true"


def test_keys_expire_after_24_hours(clock, v1):
    first = create(v1, VISA)
    clock.now += 24 * 3600 - 1
    assert create(v1, VISA).id == first.id
    clock.now += 2
    assert create(v1, VISA).id != first.id


def test_a_key_that_is_too_long_is_rejected(v1):
    assert create(v1, VISA, "x" * 255).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="255 characters"):
        create(v1, VISA, "x" * 256)


def test_a_get_has_no_idempotency_key(v1):
    intent = create(v1, VISA)
    v1.payment_intents.cancel(create(v1, {"amount": 100, "currency": "usd"}, "other").id)
    for _ in range(2):
        assert v1.payment_intents.retrieve(intent.id, None, {"idempotency_key": "once"}).id == intent.id


def test_a_second_call_during_the_first_is_a_conflict(server, v1):
    server.faults.add(delay=600)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(create, v1, VISA)
        while not server.faults.held:
            pass
        with pytest.raises(stripe.StripeError) as caught:
            create(client(server), VISA)
        with pytest.raises(stripe.IdempotencyError):
            create(client(server), {**VISA, "amount": 2300})
        server.stop()
        assert isinstance(first.exception(), stripe.APIConnectionError)
    error = caught.value
    assert (error.http_status, error.error.type) == (409, "idempotency_error")
    assert error.error.code == "idempotency_key_in_use"
    assert error.headers["Stripe-Should-Retry"] == "true"
    assert server.payment_intents == []


def test_twenty_concurrent_calls_make_one_payment(server, v1):
    def one(_):
        try:
            return create(v1, VISA).id
        except stripe.StripeError as error:
            return error.http_status

    with ThreadPoolExecutor(20) as pool:
        outcomes = set(pool.map(one, range(20)))
    intents = server.payment_intents
    assert len(intents) == 1
    assert outcomes - {409} == {intents[0]["id"]}


def test_a_disconnected_client_neither_cancels_nor_repeats_a_payment(server, v1):
    key = server.keys.issue("test")
    form = urlencode(
        {
            "amount": 2200,
            "currency": "usd",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        }
    )
    head = (
        f"POST /v1/payment_intents HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {key}\r\nIdempotency-Key: once\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall((head + form[:-5]).encode())
    with socket.create_connection(("127.0.0.1", server.port)) as whole:
        whole.sendall((head + form).encode())
    while not server.requests:
        pass
    assert create(v1, VISA).last_response.headers["Idempotent-Replayed"] == "true"
    assert len(server.payment_intents) == 1
