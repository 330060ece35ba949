"""Faults and idempotency keys of the Stripe emulator over HTTP, its records and events, and its end."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from devstack.stripe.messages import RequestRecord
from devstack.stripe.server import StripeServer
from tests.support.stripe_client import DECLINED, PAY, VISA, client, refused, send


def create(v1, params=VISA, key="once"):
    return v1.payment_intents.create(params, {"idempotency_key": key})


def is_replay(response):
    return response.last_response.headers.get("Idempotent-Replayed") == "true"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, stripe.AuthenticationError, None),
        (402, stripe.CardError, "card_declined"),
        (409, stripe.APIError, "idempotency_key_in_use"),
        (429, stripe.RateLimitError, "rate_limit"),
        (500, stripe.APIError, None),
    ],
)
def test_a_status_comes_with_stripes_own_error_and_nothing_is_executed(server, v1, status, kind, code):
    send(server, "POST", "/_devstack/faults", {"count": 9, "status": status})
    for _ in range(2):
        error = refused(create, v1, status=status)
        assert (type(error), getattr(error.error, "code", None)) == (kind, code)
        assert error.request_id.startswith("req_")
    assert server.payment_intents == []
    send(server, "DELETE", "/_devstack/faults")
    assert create(v1).status == "succeeded"


@pytest.mark.parametrize(
    ("fault", "error", "charges"),
    [
        ({"cut": "before", "delay": 0.01}, stripe.APIConnectionError, 0),
        ({"cut": "after", "delay": 0.01, "delay_after": 0.01}, stripe.APIConnectionError, 1),
        ({"body": b"<html>"}, stripe.APIError, 0),
        ({"body": b"<html>", "executed": True}, stripe.APIError, 1),
    ],
)
def test_after_a_lost_response_the_same_key_finds_the_charge_if_there_is_one(server, v1, fault, error, charges):
    server.faults.add(**fault)
    with pytest.raises(error):
        create(v1)
    assert [intent["status"] for intent in server.payment_intents] == ["succeeded"] * charges
    assert is_replay(create(v1)) == bool(charges)
    assert [record.status for record in server.requests] == [None if "cut" in fault else 200, 200]
    assert len(server.payment_intents) == 1


def test_a_repeated_call_replays_the_first_response(server, v1):
    first = create(v1)
    again = create(client(server), dict(reversed(VISA.items())))  # with another API key of the account
    assert again == first
    assert (is_replay(first), is_replay(again)) == (False, True)
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    assert again.last_response.request_id != first.last_response.request_id
    for other in ({**VISA, "amount": 2300}, {**VISA, "foo": 1}):
        assert isinstance(refused(create, v1, other), stripe.IdempotencyError)
    with pytest.raises(stripe.IdempotencyError):
        v1.refunds.create(VISA, {"idempotency_key": "once"})
    assert len(server.payment_intents) == 1
    live = create(client(server, mode="live"), {**PAY, "payment_method": "pm_live_visa"})
    assert (live.livemode, is_replay(live)) == (True, False)


@pytest.mark.parametrize(("params", "status"), [(DECLINED, 402), ({**PAY, "payment_method": "pm_x"}, 400)])
def test_an_error_of_the_execution_is_replayed(v1, params, status):
    first, again = refused(create, v1, params, status=status), refused(create, v1, params, status=status)
    assert first.json_body == again.json_body
    assert again.headers["Idempotent-Replayed"] == "true"


def test_an_invalid_parameter_or_api_key_leaves_the_key_unused(server, v1):
    refused(create, client(server, "sk_test_unknown"), {**VISA, "amount": 100}, status=401)
    for wrong in ({**VISA, "foo": 1}, {**VISA, "amount": 1}, {**VISA, "expand": ["id"]}):
        refused(create, v1, wrong)
    assert server.payment_intents == []
    assert not is_replay(create(v1))


def test_calls_are_recorded_and_counted(server):
    key = server.keys.issue("test")
    v1 = client(server, key)
    create(v1)
    v1.balance.retrieve()
    assert server.requests == [
        RequestRecord("POST", "/v1/payment_intents", "once", key[-4:], 200),
        RequestRecord("GET", "/v1/balance", None, key[-4:], 200),
    ]
    assert server.connections == 1
    counts = {"requests": 2, "connections": 2, "payment_intents": {"test": {"succeeded": 1}, "live": {}}}
    assert send(server, "GET", "/_devstack/state") == (200, counts)


def test_events_are_emitted_in_order(server, v1, events):
    paid = create(v1)
    refused(v1.payment_intents.create, DECLINED, status=402)
    v1.payment_intents.create({**PAY, "payment_method": "pm_card_authenticationRequired"})
    v1.refunds.create({"payment_intent": paid.id})
    kinds = [event["type"] for event in events]
    assert kinds == [
        *("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"),
        *("payment_intent.created", "charge.failed", "payment_intent.payment_failed"),
        *("payment_intent.created", "payment_intent.requires_action", "charge.refunded", "refund.created"),
    ]
    assert events[2]["data"]["object"]["status"] == "succeeded"
    assert events[2]["request"] == {"id": events[0]["request"]["id"], "idempotency_key": "once"}
    assert server.events == events


def test_events_of_concurrent_calls_arrive_one_at_a_time_and_none_is_lost(server, events):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: create(client(server), key=str(number)), range(40)))
    assert server.events == events
    assert len(events) == 120


def test_a_delayed_call_holds_its_key_until_stopping_ends_all_calls_and_connections():
    before = set(threading.enumerate())
    server = StripeServer().start()
    with pytest.raises(OSError, match="in use"):
        StripeServer(port=server.port)
    idle = socket.create_connection(("127.0.0.1", server.port))
    server.faults.add(delay=600)
    with ThreadPoolExecutor(1) as pool:
        delayed = pool.submit(create, client(server))
        while not server.faults.held:
            pass
        error = refused(create, client(server), status=409, code="idempotency_key_in_use")
        server.stop()
        assert isinstance(delayed.exception(), stripe.APIConnectionError)
    assert error.headers["Stripe-Should-Retry"] == "true"
    assert idle.recv(1) == b""
    idle.close()
    assert server.payment_intents == []
    assert not set(threading.enumerate()) - before
    server.stop()
    StripeServer().stop()  # never started
