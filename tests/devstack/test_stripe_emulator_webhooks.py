"""Deliveries of the Stripe emulator to webhook endpoints: signatures, retries, and faults."""

import json
import random
import socket
import threading
from collections import Counter

import pytest
import stripe
from werkzeug.wrappers import Request, Response

from devstack.loopback_server import LoopbackServer
from devstack.stripe.server import StripeServer
from tests.support.stack import eventually
from tests.support.stripe_client import PAY, VISA, client, send

SUCCEEDED = "payment_intent.succeeded"
PAUSE = 0.01  # seconds
NEVER = 86400.0  # seconds; a pause without a second attempt during the test
LONG = 10.0  # seconds; the timeout for events that happen


class Receiver(LoopbackServer):
    """An endpoint's server. It responds with each of ``statuses`` (None: no response), then with 200."""

    def __init__(self):
        self.deliveries = []
        self.statuses = []
        self.arrived = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        super().__init__(Request.application(self.respond), 0)

    def respond(self, request):
        request.get_data()
        self.deliveries.append(request)
        self.arrived.release()
        self.open.wait(LONG)
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response(status=status or 200, headers={"Location": self.url + "/elsewhere"})


@pytest.fixture
def receiver():
    receiver = Receiver().start()
    yield receiver
    receiver.open.set()
    receiver.stop()


def listen(v1, url, *types, **params):
    return v1.webhook_endpoints.create({"url": url, "enabled_events": list(types or [SUCCEEDED]), **params})


def pay(v1, times=1):
    return [v1.payment_intents.create(VISA) for _ in range(times)][-1]


def construct(delivery, endpoint):
    return stripe.Webhook.construct_event(delivery.data, delivery.headers["Stripe-Signature"], endpoint.secret)


def wait_for_deliveries(server):
    assert server.webhooks.wait(LONG)
    assert server.webhooks.pending == 0


def test_an_event_is_delivered_signed_and_as_stripe_formats_it(server, v1, receiver):
    endpoint = listen(v1, receiver.url + "/stripe/webhook?a=b")
    intent = v1.payment_intents.create({**VISA, "description": "Zwölf Notizen ✓"})
    wait_for_deliveries(server)
    (delivery,) = receiver.deliveries
    event = construct(delivery, endpoint)
    assert (event.type, event.data.object.id, event.pending_webhooks) == (SUCCEEDED, intent.id, 1)
    assert event.api_version == stripe.api_version
    assert delivery.data == json.dumps(delivery.json, indent=2, ensure_ascii=False).encode()
    assert delivery.full_path == "/stripe/webhook?a=b"
    assert delivery.headers["Content-Type"] == "application/json; charset=utf-8"
    assert delivery.headers["User-Agent"] == "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
    assert v1.events.retrieve(event.id).pending_webhooks == 0


def test_an_endpoint_receives_its_types_of_its_mode_in_its_version(server, v1, receiver):
    listen(v1, receiver.url + "/one", api_version="2024-06-20")
    listen(v1, receiver.url + "/all", "*")
    listen(v1, receiver.url + "/none", "charge.refunded")
    listen(client(server, mode="live"), receiver.url + "/live")
    client(server, mode="live").payment_intents.create({**PAY, "payment_method": "pm_live_visa"})
    pay(v1)
    wait_for_deliveries(server)
    own = stripe.api_version
    events = ((delivery.path, delivery.json) for delivery in receiver.deliveries)
    assert sorted((path, event["type"], event["livemode"], event["api_version"]) for path, event in events) == [
        ("/all", "charge.succeeded", False, own),
        ("/all", "payment_intent.created", False, own),
        ("/all", SUCCEEDED, False, own),
        ("/live", SUCCEEDED, True, own),
        ("/one", SUCCEEDED, False, "2024-06-20"),
    ]


@pytest.mark.parametrize("status", [None, 302, 400, 500])
def test_a_delivery_is_retried_unless_the_status_is_2xx(server, v1, receiver, status):
    receiver.statuses = [status, status, 204]
    endpoint = listen(v1, receiver.url)
    pay(v1)
    wait_for_deliveries(server)
    attempts = server.webhooks.attempts
    assert [(a.number, a.status, a.error is None) for a in attempts] == [
        (1, status, status is not None),
        (2, status, status is not None),
        (3, 204, True),
    ]
    targets = {(a.event_id, a.event_type, a.endpoint_id, a.url) for a in attempts}
    assert targets == {(server.events[-1]["id"], SUCCEEDED, endpoint.id, receiver.url)}
    assert {construct(delivery, endpoint).id for delivery in receiver.deliveries} == {server.events[-1]["id"]}
    assert endpoint.secret not in f"{attempts} {server.requests} {server.events} {vars(server.webhooks)}"


def test_each_attempt_has_its_own_timestamp_and_after_three_days_there_is_none(receiver):
    now = [1_700_000_000.0]
    days = {"clock": lambda: now[0], "on_delivery": lambda _: now.insert(0, now[0] + 86400)}
    with StripeServer(webhook_pause=PAUSE, **days) as server:
        receiver.statuses = [500] * 9
        listen(client(server), receiver.url)
        pay(client(server))
        wait_for_deliveries(server)
        assert [attempt.number for attempt in server.webhooks.attempts] == [1, 2, 3]
        assert server.events[-1]["pending_webhooks"] == 1
    timestamps = [delivery.headers["Stripe-Signature"].partition(",")[0] for delivery in receiver.deliveries]
    assert timestamps == ["t=1700000000", "t=1700086400", "t=1700172800"]


@pytest.mark.parametrize("moment", ["during an attempt", "after it"])
@pytest.mark.parametrize("end", ["delete", "disable"])
def test_deleting_or_disabling_an_endpoint_ends_its_deliveries(receiver, end, moment):
    with StripeServer(webhook_pause=NEVER) as server:
        v1 = client(server)
        receiver.statuses = [500]
        receiver.open.clear()
        endpoint = listen(v1, receiver.url)
        pay(v1)
        assert receiver.arrived.acquire(timeout=LONG)
        assert not server.webhooks.wait(0)
        if moment == "after it":
            receiver.open.set()
            assert eventually(lambda: server.webhooks.attempts)
        if end == "delete":
            v1.webhook_endpoints.delete(endpoint.id)
        else:
            v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
        receiver.open.set()
        wait_for_deliveries(server)
        pay(v1)
        assert server.webhooks.pending == 0
        assert len(receiver.deliveries) == 1


def test_faults_duplicate_lose_and_shuffle_deliveries(server, v1, receiver):
    faults = {"fail_every": 5, "duplicate_every": 10, "shuffle": 0.2}
    assert send(server, "POST", "/_devstack/webhooks", faults) == (200, faults)
    server.webhooks.random = random.Random(1)
    listen(v1, receiver.url)
    pay(v1, 20)
    wait_for_deliveries(server)
    emitted = [event["id"] for event in server.events if event["type"] == SUCCEEDED]
    received = Counter(delivery.json["id"] for delivery in receiver.deliveries)
    assert sorted(received) == sorted(emitted)
    assert list(received) != emitted
    assert sorted(received.values()) == [1] * 18 + [2] * 2
    lost = [attempt for attempt in server.webhooks.attempts if not attempt.succeeded]
    assert [(a.number, a.status, "fail_every" in a.error) for a in lost] == [(1, None, True)] * 4
    assert {event["pending_webhooks"] for event in server.events} == {0}


def test_a_call_does_not_wait_for_its_deliveries_and_stopping_ends_them(receiver, capfd):
    before = set(threading.enumerate())  # other emulators may run in this process
    server = StripeServer().start()
    v1 = client(server)
    assert pay(v1).status == "succeeded"
    assert not [thread for thread in set(threading.enumerate()) - before if "webhooks" in thread.name]
    receiver.open.clear()
    listen(v1, receiver.url)
    assert pay(v1, 12).status == "succeeded"
    assert server.webhooks.pending == 12
    assert receiver.arrived.acquire(timeout=LONG)
    server.stop()
    assert not [thread for thread in set(threading.enumerate()) - before if "webhooks" in thread.name]
    wait_for_deliveries(server)
    assert server.webhooks.attempts == []
    assert capfd.readouterr() == ("", "")


def test_the_event_of_a_refund_has_the_charge_and_its_previous_attributes(server, v1, receiver):
    endpoint = listen(v1, receiver.url, "charge.refunded")
    intent = v1.payment_intents.create({**VISA, "metadata": {"storage": "11"}})
    for amount in (200, 2000):
        v1.refunds.create({"payment_intent": intent.id, "amount": amount})
        wait_for_deliveries(server)
    events = [construct(delivery, endpoint) for delivery in receiver.deliveries]
    charges = [event.data.object for event in events]
    assert [(it.payment_intent, it.metadata.to_dict()) for it in charges] == [(intent.id, {"storage": "11"})] * 2
    assert [(it.amount_refunded, it.refunded) for it in charges] == [(200, False), (2200, True)]
    assert [event.data.previous_attributes.to_dict() for event in events] == [
        {"amount_refunded": 0},
        {"amount_refunded": 200, "refunded": False},
    ]
