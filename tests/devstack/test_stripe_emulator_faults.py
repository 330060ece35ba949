"""Faults of the Stripe emulator, its records and events, and its end."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from devstack.stripe.server import StripeServer
from tests.support.stripe_client import PAY

VISA = {**PAY, "payment_method": "pm_card_visa"}


@pytest.fixture
def events():
    return []


@pytest.fixture
def server(events):
    with StripeServer(on_event=events.append) as running:
        yield running


@pytest.fixture
def v1(server):
    return client(server)


def client(server):
    key = server.keys.issue("test")
    return stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=0).v1


def create(v1, key="once"):
    return v1.payment_intents.create(VISA, {"idempotency_key": key})


STATUSES = [
    (401, stripe.AuthenticationError, None),
    (402, stripe.CardError, "card_declined"),
    (403, stripe.PermissionError, None),
    (409, stripe.StripeError, "idempotency_key_in_use"),
    (429, stripe.RateLimitError, "rate_limit"),
    (500, stripe.APIError, None),
    (503, stripe.APIError, None),
]


@pytest.mark.parametrize(("status", "kind", "code"), STATUSES)
def test_a_status_comes_with_stripes_own_error_and_nothing_is_executed(server, v1, status, kind, code):
    server.faults.add(2, status=status)
    for _ in range(2):
        with pytest.raises(kind) as caught:
            create(v1)
        assert (caught.value.http_status, getattr(caught.value.error, "code", None)) == (status, code)
        assert caught.value.request_id.startswith("req_")
    assert server.payment_intents == []
    assert create(v1).status == "succeeded"


def test_cut_before_leaves_nothing_behind(server, v1):
    server.faults.add(cut="before", delay=0.01)
    with pytest.raises(stripe.APIConnectionError):
        create(v1)
    assert server.payment_intents == []
    assert "Idempotent-Replayed" not in create(v1).last_response.headers


def test_cut_after_charges_and_the_same_key_finds_it(server, v1):
    server.faults.add(cut="after", delay=0.01, delay_after=0.01)
    with pytest.raises(stripe.APIConnectionError):
        create(v1)
    assert [intent["status"] for intent in server.payment_intents] == ["succeeded"]
    again = create(v1)
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert [record.status for record in server.requests] == [None, 200]
    assert len(server.payment_intents) == 1


def test_a_malformed_response_can_replace_or_follow_the_execution(server, v1):
    for executed in (False, True):
        server.faults.add(body=b"<html>", executed=executed)
        with pytest.raises(stripe.APIError):
            create(v1)
        assert len(server.payment_intents) == executed


def test_an_error_status_can_follow_the_execution(server, v1):
    server.faults.add(status=502, executed=True)
    with pytest.raises(stripe.APIError):
        create(v1)
    assert create(v1).id == server.payment_intents[0]["id"]


def test_a_fault_affects_only_the_calls_that_match(server, v1):
    server.faults.add(status=500, match="/v1/refunds")
    server.faults.add(status=503, match="POST /v1/payment_intents")
    v1.payment_intents.list()
    for status, call in ((503, lambda: create(v1)), (500, v1.refunds.list)):
        with pytest.raises(stripe.APIError) as caught:
            call()
        assert caught.value.http_status == status
    assert create(v1).status == "succeeded"


def test_cleared_faults_affect_no_call(server, v1):
    server.faults.add(9, status=500)
    server.faults.clear()
    assert create(v1).status == "succeeded"


def test_a_retry_of_stripe_python_succeeds_after_a_cut(server):
    key = server.keys.issue("test")
    v1 = stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=1).v1
    server.faults.add(cut="after")
    assert v1.payment_intents.create(VISA).status == "succeeded"
    assert len(server.payment_intents) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({}, "needs a status"),
        ({"count": 0, "status": 500}, "count is 0"),
        ({"status": 99}, "status is 99"),
        ({"status": 200}, "needs a body"),
        ({"delay": -1}, "0 to 3600"),
        ({"cut": "later"}, "'before' or 'after'"),
        ({"cut": "after", "executed": True}, "executed"),
        ({"saved": True}, "saved"),
    ],
)
def test_an_invalid_fault_is_rejected(server, fault, words):
    with pytest.raises(ValueError, match=words):
        server.faults.add(**fault)


def test_calls_are_recorded(server, v1):
    create(v1)
    v1.payment_intents.list({"limit": 1})
    first, second = server.requests
    assert (first.method, first.path, first.idempotency_key) == ("POST", "/v1/payment_intents", "once")
    assert (first.params["amount"], first.params["automatic_payment_methods"]["enabled"]) == ("2200", "true")
    assert (first.livemode, first.status, first.stripe_version) == (False, 200, stripe.api_version)
    assert len(first.key_last4) == 4
    assert (second.method, second.params, second.idempotency_key) == ("GET", {"limit": "1"}, None)
    assert (first.connection, second.connection, server.connections) == (1, 1, 1)


def test_events_are_emitted_in_order(server, v1, events):
    create(v1)
    with pytest.raises(stripe.CardError):
        v1.payment_intents.create({**PAY, "payment_method": "pm_card_chargeDeclined"})
    intent = v1.payment_intents.create({**PAY, "payment_method": "pm_card_authenticationRequired"})
    v1.payment_intents.cancel(intent.id)
    v1.refunds.create({"payment_intent": server.payment_intents[0]["id"]})
    kinds = [event["type"] for event in events]
    assert kinds == [
        *("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"),
        *("payment_intent.created", "charge.failed", "payment_intent.payment_failed"),
        *("payment_intent.created", "payment_intent.requires_action", "payment_intent.canceled"),
        *("charge.refunded", "refund.created"),
    ]
    assert events[2]["data"]["object"]["status"] == "succeeded"
    assert events[2]["request"] == {"id": events[0]["request"]["id"], "idempotency_key": "once"}
    assert [event.type for event in v1.events.list({"limit": 100}).data] == kinds[::-1]
    assert v1.events.retrieve(events[0]["id"]).data.object.object == "payment_intent"
    assert len(v1.events.list({"type": "charge.*"}).data) == 3
    assert len(v1.events.list({"types": ["charge.failed", "charge.refunded"]}).data) == 2
    assert server.events == events


def test_on_event_can_call_the_server():
    def refund(event):
        if event["type"] == "payment_intent.succeeded":
            v1.refunds.create({"payment_intent": event["data"]["object"]["id"]})
        received.append(event["type"])

    received = []
    with StripeServer(on_event=refund) as server:
        v1 = client(server)
        create(client(server))
    assert received[-3:] == ["payment_intent.succeeded", "charge.refunded", "refund.created"]


def test_events_of_concurrent_calls_arrive_one_at_a_time_and_none_is_lost(server, events):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: create(client(server), str(number)), range(40)))
    assert [event["id"] for event in server.events] == [event["id"] for event in events]
    assert len(events) == 120


def test_a_taken_port_is_an_os_error(server):
    with pytest.raises(OSError, match="in use"):
        StripeServer(port=server.port)


def test_stopping_ends_connections_and_delayed_calls():
    before = set(threading.enumerate())
    server = StripeServer().start()
    idle = socket.create_connection(("127.0.0.1", server.port))
    server.faults.add(delay=600)
    with ThreadPoolExecutor(1) as pool:
        delayed = pool.submit(create, client(server))
        while not server.faults.held:
            pass
        server.stop()
        assert isinstance(delayed.exception(), stripe.APIConnectionError)
    assert idle.recv(1) == b""
    idle.close()
    assert server.payment_intents == []
    assert not set(threading.enumerate()) - before
    server.stop()


def test_a_server_that_never_started_stops():
    StripeServer().stop()


def test_nothing_is_printed(server, v1, capfd):
    create(v1)
    server.faults.add(cut="before")
    with pytest.raises(stripe.APIConnectionError):
        create(v1)
    with socket.create_connection(("127.0.0.1", server.port)) as broken:
        broken.sendall(b"nonsense\r\n\r\n")
        broken.recv(100)
    assert capfd.readouterr() == ("", "")
