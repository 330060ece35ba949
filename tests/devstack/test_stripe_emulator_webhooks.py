"""Deliveries of the Stripe emulator to webhook endpoints: signatures, retries, and faults."""

import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
import stripe

from devstack.stripe.account import create_accounts
from devstack.stripe.server import StripeServer
from devstack.stripe.webhook_schedule import Delivery, RetrySchedule, pauses_after
from tests.devstack.test_stripe_emulator_resources import assert_whole
from tests.support.stripe_client import PAY, refused

VISA = {**PAY, "payment_method": "pm_card_visa"}
SUCCEEDED = "payment_intent.succeeded"
PAUSE = 0.01  # seconds
NEVER = 86400.0  # seconds; a pause without a second attempt during the test
LONG = 10.0  # seconds; the timeout for events that happen


@dataclass
class Received:
    path: str
    headers: Message
    body: bytes

    @property
    def event(self):
        return json.loads(self.body)

    def verify(self, secret):
        return stripe.WebhookSignature.verify_header(self.body, self.headers["Stripe-Signature"], secret, 300)


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # with 5, concurrent clients wait a second before they retry to connect


class Receiver:
    """An endpoint's server. It responds with each of ``statuses`` (None: no response), then with 200."""

    def __init__(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.deliveries.append(Received(self.path, self.headers, body))
                receiver.arrived.release()
                receiver.open.wait(LONG)
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                if status is None:
                    return
                self.send_response(status)
                self.send_header("Location", receiver.url + "/elsewhere")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.deliveries = []
        self.statuses = []
        self.arrived = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self.open.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def server():
    with StripeServer(webhook_pause=PAUSE) as running:
        yield running


def client(server, mode="test"):
    key = server.keys.issue(mode)
    return stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=0).v1


@pytest.fixture
def v1(server):
    return client(server)


def listen(v1, url, *types, **params):
    return v1.webhook_endpoints.create({"url": url, "enabled_events": list(types or [SUCCEEDED]), **params})


def pay(v1, times=1, method="pm_card_visa"):
    return [v1.payment_intents.create({**PAY, "payment_method": method}) for _ in range(times)][-1]


def wait_for_deliveries(server):
    assert server.webhooks.wait(LONG)
    assert server.webhooks.pending == 0


def until(condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def devstack(server, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request("POST", "/_devstack" + path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    value = json.loads(response.read())
    connection.close()
    return response.status, value


def test_an_event_is_delivered_signed_and_as_stripe_formats_it(server, v1, receiver):
    endpoint = listen(v1, receiver.url + "/stripe/webhook?a=b")
    intent = pay(v1)
    wait_for_deliveries(server)
    (delivery,) = receiver.deliveries
    assert delivery.verify(endpoint.secret)
    event = stripe.Webhook.construct_event(delivery.body, delivery.headers["Stripe-Signature"], endpoint.secret)
    assert (event.type, event.data.object.id, event.pending_webhooks) == (SUCCEEDED, intent.id, 1)
    assert delivery.body == json.dumps(delivery.event, indent=2, ensure_ascii=False).encode()
    assert delivery.path == "/stripe/webhook?a=b"
    assert delivery.headers["Content-Type"] == "application/json; charset=utf-8"
    assert delivery.headers["User-Agent"] == "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


def test_the_signature_of_non_ascii_text_verifies(server, v1, receiver):
    endpoint = listen(v1, receiver.url)
    v1.payment_intents.create({**VISA, "description": "Zwölf Notizen ✓", "metadata": {"who": "Zoë"}})
    wait_for_deliveries(server)
    assert receiver.deliveries[0].verify(endpoint.secret)
    assert "Zwölf Notizen ✓".encode() in receiver.deliveries[0].body


def test_another_secret_or_another_body_does_not_verify(server, v1, receiver):
    endpoint = listen(v1, receiver.url)
    pay(v1)
    wait_for_deliveries(server)
    (delivery,) = receiver.deliveries
    with pytest.raises(stripe.SignatureVerificationError):
        delivery.verify("whsec_another")
    delivery.body = delivery.body.replace(b"2200", b"2201")
    with pytest.raises(stripe.SignatureVerificationError):
        delivery.verify(endpoint.secret)


def test_the_event_has_the_endpoints_api_version(server, v1, receiver):
    version = "2024-06-20"
    listen(v1, receiver.url + "/old", api_version=version)
    listen(v1, receiver.url + "/own")
    pay(v1)
    wait_for_deliveries(server)
    versions = {delivery.path: delivery.event["api_version"] for delivery in receiver.deliveries}
    assert versions == {"/old": version, "/own": stripe.api_version}


def test_an_endpoint_receives_only_its_event_types(server, v1, receiver):
    listen(v1, receiver.url + "/one", SUCCEEDED)
    listen(v1, receiver.url + "/all", "*")
    listen(v1, receiver.url + "/none", "charge.refunded")
    pay(v1)
    wait_for_deliveries(server)
    received = sorted((delivery.path, delivery.event["type"]) for delivery in receiver.deliveries)
    assert received == [
        ("/all", "charge.succeeded"),
        ("/all", "payment_intent.created"),
        ("/all", SUCCEEDED),
        ("/one", SUCCEEDED),
    ]


def test_endpoints_receive_only_events_of_their_mode(server, v1, receiver):
    live = client(server, "live")
    listen(v1, receiver.url + "/test")
    listen(live, receiver.url + "/live")
    pay(v1)
    pay(live, method="pm_live_visa")
    wait_for_deliveries(server)
    assert sorted((d.path, d.event["livemode"]) for d in receiver.deliveries) == [("/live", True), ("/test", False)]


@pytest.mark.parametrize("status", [None, 301, 302, 400, 404, 500, 503])
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
    assert [attempt.succeeded for attempt in attempts] == [False, False, True]
    event = server.events[-1]
    targets = {(a.event_id, a.event_type, a.endpoint_id, a.url) for a in attempts}
    assert targets == {(event["id"], SUCCEEDED, endpoint.id, receiver.url)}
    assert [delivery.path for delivery in receiver.deliveries] == ["/"] * 3
    assert all(delivery.verify(endpoint.secret) for delivery in receiver.deliveries)


def test_a_refused_connection_is_retried(server, v1, receiver):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    endpoint = listen(v1, nowhere)
    pay(v1)
    v1.webhook_endpoints.update(endpoint.id, {"url": receiver.url})
    wait_for_deliveries(server)
    *failed, accepted = server.webhooks.attempts
    assert {(a.url, a.status) for a in failed} <= {(nowhere, None)}
    assert all("Refused" in a.error for a in failed)
    assert (accepted.url, accepted.status, len(receiver.deliveries)) == (receiver.url, 200, 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a b", "https://a..b"])
def test_a_url_that_cannot_be_requested_is_a_failed_attempt(server, v1, url):
    endpoint = listen(v1, url)
    pay(v1)
    until(lambda: server.webhooks.attempts)
    v1.webhook_endpoints.delete(endpoint.id)
    wait_for_deliveries(server)
    assert {(attempt.url, attempt.status, bool(attempt.error)) for attempt in server.webhooks.attempts} == {
        (url, None, True)
    }


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:0"])
def test_an_invalid_url_is_rejected(v1, url):
    refused(v1.webhook_endpoints.create, {"url": url, "enabled_events": ["*"]}, code="url_invalid", param="url")


def test_each_attempt_has_a_timestamp_of_its_own(receiver):
    now = [1_700_000_000.0]
    with StripeServer(
        webhook_pause=PAUSE, clock=lambda: now[0], on_delivery=lambda _: now.insert(0, now[0] + 60)
    ) as server:
        v1 = client(server)
        receiver.statuses = [500, 500]
        endpoint = listen(v1, receiver.url)
        pay(v1)
        wait_for_deliveries(server)
    timestamps = [delivery.headers["Stripe-Signature"].partition(",")[0] for delivery in receiver.deliveries]
    assert timestamps == ["t=1700000000", "t=1700000060", "t=1700000120"]
    for delivery in receiver.deliveries:
        assert stripe.WebhookSignature.verify_header(
            delivery.body, delivery.headers["Stripe-Signature"], endpoint.secret
        )


def test_after_three_days_a_delivery_is_given_up(receiver):
    now = [1_700_000_000.0]
    with StripeServer(
        webhook_pause=PAUSE, clock=lambda: now[0], on_delivery=lambda _: now.insert(0, now[0] + 86400)
    ) as server:
        v1 = client(server)
        receiver.statuses = [500] * 9
        listen(v1, receiver.url)
        pay(v1)
        wait_for_deliveries(server)
        assert [attempt.number for attempt in server.webhooks.attempts] == [1, 2, 3]
        assert server.events[-1]["pending_webhooks"] == 1


def test_pending_webhooks_counts_the_endpoints_that_have_not_accepted_the_event(receiver):
    with StripeServer(webhook_pause=NEVER) as server:
        v1 = client(server)
        receiver.statuses = [500]
        for path in ("/a", "/b", "/c"):
            listen(v1, receiver.url + path)
        pay(v1)
        for _ in range(3):
            assert receiver.arrived.acquire(timeout=LONG)
        until(lambda: server.webhooks.pending == 1)
        assert v1.events.list({"type": SUCCEEDED}).data[0].pending_webhooks == 1
        assert v1.events.list({"type": SUCCEEDED, "delivery_success": True}).data == []
        event = v1.events.list({"type": SUCCEEDED, "delivery_success": False}).data[0]
        server.webhooks.resend(event.id)
        until(lambda: server.webhooks.pending == 1)
        assert v1.events.retrieve(event.id).pending_webhooks == 0


def test_both_secrets_sign_until_the_old_one_expires(receiver):
    now = [1_700_000_000.0]
    with StripeServer(webhook_pause=PAUSE, clock=lambda: now[-1]) as server:
        v1 = client(server)
        endpoint = listen(v1, receiver.url)
        new = server.webhooks.roll(endpoint.id, keep_old_for=60)
        assert new.startswith("whsec_")
        assert new != endpoint.secret
        for later in (59.0, 1.0):
            now.append(now[-1] + later)
            pay(v1)
            wait_for_deliveries(server)
    both, alone = receiver.deliveries
    verify = stripe.WebhookSignature.verify_header
    for delivery, signatures, secrets in ((both, 2, (new, endpoint.secret)), (alone, 1, (new,))):
        header = delivery.headers["Stripe-Signature"]
        assert header.count("v1=") == signatures
        assert all(verify(delivery.body, header, secret) for secret in secrets)
    with pytest.raises(stripe.SignatureVerificationError):
        verify(alone.body, alone.headers["Stripe-Signature"], endpoint.secret)


def test_a_secret_can_be_rolled_at_once_and_over_http(server, v1, receiver):
    endpoint = listen(v1, receiver.url)
    replaced = devstack(server, f"/webhook_endpoints/{endpoint.id}/roll", {"keep_old_for": 60})[1]["secret"]
    new = server.webhooks.roll(endpoint.id, keep_old_for=0)
    pay(v1)
    wait_for_deliveries(server)
    (delivery,) = receiver.deliveries
    assert delivery.verify(new)
    assert delivery.verify(endpoint.secret)
    with pytest.raises(stripe.SignatureVerificationError):
        delivery.verify(replaced)
    assert devstack(server, "/webhook_endpoints/we_x/roll", {"keep_old_for": 60})[0] == 404
    assert devstack(server, f"/webhook_endpoints/{endpoint.id}/roll", {"keep_old_for": -1})[0] == 400


def test_pauses_double_up_to_60_first_pauses():
    assert [pauses_after(attempts) for attempts in (1, 2, 3, 4, 5, 6, 7, 8, 2000)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_delivery_cancelled_during_its_attempt_is_not_retried():
    def attempt(delivery):
        attempted.append(delivery.endpoint_id)
        delivery.attempts += 1
        if delivery.endpoint_id == "we_1":
            schedule.cancel("we_1")
        return len(attempted) < 4

    attempted = []
    schedule = RetrySchedule(attempt, time.time, PAUSE)
    test_mode, _ = create_accounts()
    for endpoint_id in ("we_1", "we_2"):
        schedule.add(Delivery(test_mode, "evt_1", endpoint_id, time.time()), 0)
    assert schedule.wait(LONG)
    assert Counter(attempted) == {"we_1": 1, "we_2": 3}
    schedule.stop(lambda: None)


@pytest.mark.parametrize("end", ["delete", "disable"])
def test_deleting_or_disabling_an_endpoint_ends_its_deliveries(receiver, end):
    with StripeServer(webhook_pause=NEVER) as server:
        v1 = client(server)
        receiver.statuses = [500]
        endpoint = listen(v1, receiver.url)
        pay(v1)
        assert receiver.arrived.acquire(timeout=LONG)
        assert server.webhooks.pending == 1
        assert not server.webhooks.wait(0)
        if end == "delete":
            v1.webhook_endpoints.delete(endpoint.id)
        else:
            v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
        wait_for_deliveries(server)
        pay(v1)
        assert server.webhooks.pending == 0
        assert len(receiver.deliveries) == 1


def test_each_tenth_delivery_is_made_twice(server, v1, receiver):
    server.webhooks.duplicate_every = 10
    listen(v1, receiver.url)
    pay(v1, 20)
    wait_for_deliveries(server)
    counts = Counter(delivery.event["id"] for delivery in receiver.deliveries)
    assert sorted(counts.values()) == [1] * 18 + [2] * 2
    assert all(event["pending_webhooks"] == 0 for event in server.events)


def test_the_first_attempt_of_each_fifth_delivery_is_lost(server, v1, receiver):
    server.webhooks.fail_every = 5
    listen(v1, receiver.url)
    pay(v1, 10)
    wait_for_deliveries(server)
    lost = [attempt for attempt in server.webhooks.attempts if not attempt.succeeded]
    assert [(a.number, a.status, "fail_every" in a.error) for a in lost] == [(1, None, True)] * 2
    assert len(receiver.deliveries) == 10
    second = [attempt for attempt in server.webhooks.attempts if attempt.number == 2]
    assert {attempt.event_id for attempt in second} == {attempt.event_id for attempt in lost}


def test_deliveries_are_shuffled_and_none_is_lost(server, v1, receiver):
    server.webhooks.shuffle = 0.2
    server.webhooks.random = random.Random(1)
    listen(v1, receiver.url)
    pay(v1, 12)
    wait_for_deliveries(server)
    emitted = [event["id"] for event in server.events if event["type"] == SUCCEEDED]
    received = [delivery.event["id"] for delivery in receiver.deliveries]
    assert received != emitted
    assert sorted(received) == sorted(emitted)


def test_an_event_is_sent_again_on_request(server, v1, receiver):
    listen(v1, receiver.url)
    pay(v1)
    wait_for_deliveries(server)
    assert server.webhooks.resend(server.events[-1]["id"]) == 1
    assert devstack(server, f"/events/{server.events[-1]['id']}/resend") == (200, {"deliveries": 1})
    wait_for_deliveries(server)
    assert [delivery.event for delivery in receiver.deliveries[1:]] == [
        {**receiver.deliveries[0].event, "pending_webhooks": 0}
    ] * 2
    assert devstack(server, "/events/evt_x/resend")[0] == 404


def test_webhook_faults_can_be_set_over_http(server):
    assert devstack(server, "/webhooks", {"duplicate_every": 10, "shuffle": 0.3}) == (
        200,
        {"duplicate_every": 10, "fail_every": 0, "shuffle": 0.3},
    )
    assert devstack(server, "/webhooks", {"fail_every": 5, "duplicate_every": 0})[0] == 200
    webhooks = server.webhooks
    assert (webhooks.duplicate_every, webhooks.fail_every, webhooks.shuffle) == (0, 5, 0.3)
    for body, words in (
        ({"double_every": 2}, "no field 'double_every'"),
        ({"fail_every": 0.5}, "wrong type"),
        ({"fail_every": 1, "duplicate_every": -1}, "duplicate_every is -1"),
        ({"shuffle": -1}, "shuffle is -1"),
    ):
        status, response = devstack(server, "/webhooks", body)
        assert status == 400
        assert words in response["error"]["message"]
    assert webhooks.fail_every == 5


def test_on_delivery_receives_each_attempt_and_can_call_the_server(receiver):
    def on_delivery(attempt):
        received.append((attempt, server.webhooks.pending, len(server.events)))

    received = []
    with StripeServer(webhook_pause=PAUSE, on_delivery=on_delivery) as server:
        v1 = client(server)
        receiver.statuses = [500]
        listen(v1, receiver.url)
        pay(v1)
        wait_for_deliveries(server)
        assert [attempt for attempt, _, _ in received] == server.webhooks.attempts
        assert [pending for _, pending, _ in received] == [1, 1]


def test_a_call_does_not_wait_for_its_deliveries(server, v1, receiver):
    receiver.open.clear()
    listen(v1, receiver.url)
    assert pay(v1, 20).status == "succeeded"
    assert server.webhooks.pending == 20
    receiver.open.set()
    wait_for_deliveries(server)


def test_stopping_ends_every_thread_and_attempt(receiver):
    before = set(threading.enumerate())  # other emulators may run in this process
    server = StripeServer().start()
    v1 = client(server)
    receiver.open.clear()
    listen(v1, receiver.url)
    pay(v1, 12)
    assert receiver.arrived.acquire(timeout=LONG)
    workers = [thread for thread in threading.enumerate() if "webhooks" in thread.name and thread not in before]
    assert 1 <= len(workers) <= 8
    server.stop()
    assert not any(thread.is_alive() for thread in workers)
    wait_for_deliveries(server)
    assert server.webhooks.attempts == []
    receiver.stop()
    until(lambda: set(threading.enumerate()) < before)


def test_without_an_endpoint_there_is_no_thread(server, v1):
    before = set(threading.enumerate())
    pay(v1)
    assert server.webhooks.wait(0)
    assert not [thread for thread in threading.enumerate() if "webhooks" in thread.name and thread not in before]


def test_a_pause_of_zero_is_rejected():
    with pytest.raises(ValueError, match="above 0"):
        StripeServer(webhook_pause=0)


def test_a_dispute_is_delivered_as_an_event(server, v1, receiver):
    endpoint = listen(v1, receiver.url, "charge.dispute.created")
    intent = pay(v1)
    created = server.dispute(intent.id)
    wait_for_deliveries(server)
    (delivery,) = receiver.deliveries
    event = stripe.Webhook.construct_event(delivery.body, delivery.headers["Stripe-Signature"], endpoint.secret)
    dispute = event.data.object
    assert isinstance(dispute, stripe.Dispute)
    assert_whole(dispute)
    assert dispute == v1.disputes.retrieve(created["id"])
    assert (dispute.payment_intent, dispute.charge) == (intent.id, intent.latest_charge)
    assert (dispute.amount, dispute.currency, dispute.reason) == (2200, "usd", "fraudulent")
    assert (dispute.status, dispute.livemode, dispute.id[:3]) == ("needs_response", False, "du_")
    assert v1.charges.retrieve(intent.latest_charge).disputed is True
    refused(v1.refunds.create, {"payment_intent": intent.id}, code="charge_disputed")


def test_payments_can_be_disputed_over_http(server, v1):
    intent = pay(v1)
    path = f"/payment_intents/{intent.id}/dispute"
    assert devstack(server, path)[1]["object"] == "dispute"
    assert devstack(server, path)[0] == 400
    assert devstack(server, "/payment_intents/pi_x/dispute")[0] == 404
    unpaid = v1.payment_intents.create({"amount": 100, "currency": "usd"})
    assert devstack(server, f"/payment_intents/{unpaid.id}/dispute")[0] == 400


def test_the_event_of_a_refund_has_the_charge_and_its_previous_attributes(server, v1, receiver):
    listen(v1, receiver.url, "charge.refunded")
    intent = v1.payment_intents.create({**VISA, "metadata": {"storage": "11"}})
    for amount in (200, 2000):
        v1.refunds.create({"payment_intent": intent.id, "amount": amount})
        wait_for_deliveries(server)
    events = [stripe.Event.construct_from(delivery.event, None) for delivery in receiver.deliveries]
    for event in events:
        charge = event.data.object
        assert isinstance(charge, stripe.Charge)
        assert_whole(charge)
        assert (charge.payment_intent, charge.metadata.to_dict()) == (intent.id, {"storage": "11"})
    assert [(event.data.object.amount_refunded, event.data.object.refunded) for event in events] == [
        (200, False),
        (2200, True),
    ]
    assert [event.data.previous_attributes.to_dict() for event in events] == [
        {"amount_refunded": 0},
        {"amount_refunded": 200, "refunded": False},
    ]


def test_a_processing_payment_succeeds_or_fails_when_it_is_settled(server, v1, receiver):
    listen(v1, receiver.url, "payment_intent.processing", SUCCEEDED, "payment_intent.payment_failed")
    for outcome, status in (("succeed", "succeeded"), ("fail", "requires_payment_method")):
        intent = pay(v1, method="pm_card_processing")
        assert_whole(intent)
        assert (intent.status, intent.latest_charge, intent.processing.type) == ("processing", None, "card")
        wait_for_deliveries(server)
        assert devstack(server, f"/payment_intents/{intent.id}/settle", {"outcome": outcome})[1]["status"] == status
        wait_for_deliveries(server)
        assert v1.payment_intents.retrieve(intent.id).processing is None
        assert devstack(server, f"/payment_intents/{intent.id}/settle", {"outcome": outcome})[0] == 400
    types = [delivery.event["type"].removeprefix("payment_intent.") for delivery in receiver.deliveries]
    assert types == ["processing", "succeeded", "processing", "payment_failed"]


def test_nothing_is_printed_and_no_secret_is_shown(server, v1, receiver, capfd):
    receiver.statuses = [500]
    endpoint = listen(v1, receiver.url)
    pay(v1)
    wait_for_deliveries(server)
    assert capfd.readouterr() == ("", "")
    shown = f"{server.webhooks.attempts} {server.requests} {server.events} {vars(server.webhooks)}"
    assert endpoint.secret not in shown
