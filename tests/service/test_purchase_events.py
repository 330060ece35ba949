"""Every movement of money reaches the topic and the admin's phone, however often a step fails."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.events.purchase_event import PurchaseEvent
from devstack.aws_emulator import AwsFault
from tests.support.stack import PURCHASE, RunningService, Stack, eventually

# One worker runs them all, with one service.
pytestmark = pytest.mark.xdist_group("purchase events")


@pytest.fixture(scope="module")
def running_service(_running_stack: Stack) -> Iterator[RunningService]:
    """A Stripe with webhooks to an API, the topic and notify."""
    with Stack() as own:
        own.reset()
        with RunningService(own) as service:
            yield service
        _running_stack.keys += own.keys


@pytest.fixture
def service(running_service: RunningService) -> RunningService:
    """The service, which has processed everything that an earlier test left."""
    running_service.finish()
    return running_service


def test_a_purchase_is_announced_with_every_field_that_subscribers_need(service: RunningService):
    payment = service.api.post(PURCHASE).json()
    assert service.processes(payment["id"])
    (publish,) = [publish for publish in service.stack.published if "TopicArn" in publish]
    event = PurchaseEvent(**json.loads(publish["Message"]))
    assert (event.event_id[:4], event.created >= payment["created"]) == ("evt_", True)
    assert event[:6] == ("note_purchased", payment["id"], 4200, "usd", 21, "dev")
    assert {"event", "note_purchased", "stage", "dev"} <= {*publish.values()}
    assert publish["TopicArn"].endswith(":NotePurchased-dev")
    assert service.stack.texts() == [f"Scratch: $42.00 for 21 notes (dev), {payment['id']}"]


def test_each_refund_and_dispute_is_announced_with_its_own_amount(service: RunningService):
    payment, disputed = (service.api.post({**PURCHASE, "storage": storage}).json()["id"] for storage in (21, 1))
    for amount in (1000, 3200):
        service.stack.client().v1.refunds.create({"payment_intent": payment, "amount": amount})
    service.stack.stripe.dispute(disputed)
    service.wait_for_texts(5)
    assert {(event["event"], event["payment_id"], event["amount"]) for event in service.stack.announced()} == {
        ("note_purchased", payment, 4200),
        ("note_purchased", disputed, 400),
        ("note_refunded", payment, 1000),  # not the sum so far
        ("note_refunded", payment, 3200),
        ("note_disputed", disputed, 400),
    }
    assert {text.partition("Scratch")[0] for text in service.stack.texts()} == {"", "REFUND: ", "DISPUTE: "}


def test_3d_secure_is_announced_only_after_authentication(service: RunningService):
    body = {"payment_method": "pm_card_authenticationRequired", "storage": 21}
    authenticated, failed, abandoned = (service.api.post(body).json() for _ in range(3))
    service.stack.stripe.authenticate(failed["id"], "fail")
    service.stack.stripe.authenticate(authenticated["id"], "succeed")
    assert service.processes(authenticated["id"])
    assert service.stack.stripe.webhooks.wait(30)
    assert [event["payment_id"] for event in service.stack.announced()] == [authenticated["id"]]
    payments = [service.api.get(f"/billing/{it['id']}").json() for it in (authenticated, failed, abandoned)]
    assert [payment["status"] for payment in payments] == ["succeeded", "failed", "requires_action"]
    assert payments[1]["code"] == "payment_intent_authentication_failure"
    assert payments[2]["client_secret"] == abandoned["client_secret"]


def test_webhooks_that_are_lost_doubled_and_overtaken_lose_and_invent_no_purchase(service: RunningService):
    webhooks = service.stack.stripe.webhooks
    webhooks.random.seed(1)
    webhooks.inject_faults(fail_every=5, duplicate_every=4, shuffle=0.3)
    bodies = [PURCHASE] * 40 + [{"source": "tok_chargeDeclined", "storage": 1}] * 4
    bodies += [{"payment_method": "pm_card_authenticationRequired", "storage": 1}] * 4
    with ThreadPoolExecutor(10) as pool:
        payments = [response.json() for response in pool.map(service.api.post, bodies)]
    paid = [payment["id"] for payment in payments if payment.get("status") == "succeeded"]
    assert len(paid) == 40
    assert webhooks.wait(60)
    announced = [event["payment_id"] for event in service.stack.announced()]
    assert {attempt.status for attempt in webhooks.attempts} == {None, 200}  # some were lost
    assert len(announced) > 40  # some came twice
    assert list(dict.fromkeys(announced)) != paid  # some overtook others
    assert {*announced} == {*paid}
    service.wait_for_texts(len(announced))
    assert {text.rpartition(" ")[2] for text in service.stack.texts()} == {*paid}


def test_killed_between_charge_and_webhook_the_event_still_arrives(service: RunningService):
    service.stack.stripe.webhooks.random.seed(1)
    service.stack.stripe.webhooks.inject_faults(shuffle=1.0)  # long enough to be killed before all have come
    payments = [service.api.post(PURCHASE).json()["id"] for _ in range(3)]
    arrived = len(service.stack.announced())
    service.restart_api(signal.SIGKILL)
    assert arrived < 3
    assert all(service.processes(payment) for payment in payments)


def test_killed_during_the_webhook_the_event_still_arrives(service: RunningService):
    service.stack.aws.fail(AwsFault("Publish", delay=20, cut=True))
    payment = service.api.post(PURCHASE).json()["id"]
    assert eventually(lambda: "Publish" in service.stack.aws.calls)
    service.stack.aws.clear_faults()
    service.restart_api(signal.SIGKILL)
    assert service.processes(payment)


def test_an_outage_of_sns_loses_no_event_and_no_text(service: RunningService):
    attempts = service.stack.stripe.webhooks.attempts
    service.stack.aws.fail(AwsFault("Publish", 1000, body=b"<html>hello", status=502))
    payment = service.api.post(PURCHASE).json()["id"]
    assert eventually(lambda: bool(attempts))
    assert {attempt.status for attempt in attempts} == {503}
    assert service.stack.announced() == []
    service.stack.aws.clear_faults()
    assert service.processes(payment)
    service.stack.aws.fail(AwsFault("Publish", 2, cut=True))
    service.notify_of(service.stack.announced()[0] | {"payment_id": "pi_again"})
    assert eventually(lambda: service.was_texted("pi_again"))
