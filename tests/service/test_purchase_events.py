"""Every movement of money reaches the topic and the admin's phone, however often a step fails."""

import signal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from devstack.aws_emulator import AwsFault
from tests.support.stack import PURCHASE, Api, RunningService, eventually


def test_a_purchase_is_announced_with_every_field_that_subscribers_need(service: RunningService):
    payment = service.api.post(PURCHASE).json()
    assert service.processes(payment["id"])
    (event,) = service.stack.announced()
    event_id, created = event.pop("event_id"), event.pop("created")
    assert event == {
        "event": "note_purchased",
        "payment_id": payment["id"],
        "amount": 4200,
        "currency": "usd",
        "storage": 21,
        "stage": "dev",
        "description": "Scratch charge",
    }
    assert event_id.startswith("evt_")
    assert created >= payment["created"]
    (publish,) = [publish for publish in service.stack.published if "TopicArn" in publish]
    attributes = {value for name, value in publish.items() if name.startswith("MessageAttributes.")}
    assert {"event", "note_purchased", "stage", "dev"} <= attributes
    assert publish["TopicArn"].endswith(":NotePurchased-dev")
    assert service.stack.texts() == [f"Scratch: $42.00 for 21 notes (dev), {payment['id']}"]


def test_refunds_and_disputes_are_announced_and_their_texts_begin_with_the_word(service: RunningService):
    payment = service.api.post(PURCHASE).json()
    stripe = service.stack.client()
    for amount in (1000, 3200):
        stripe.v1.refunds.create({"payment_intent": payment["id"], "amount": amount})
    assert service.processes(payment["id"], "note_refunded")
    disputed = service.api.post({**PURCHASE, "storage": 1}).json()
    service.stack.stripe.dispute(disputed["id"])
    assert service.processes(disputed["id"], "note_disputed")
    assert service.stack.stripe.webhooks.wait(30)
    refunds = [told["amount"] for told in service.stack.announced() if told["event"] == "note_refunded"]
    assert sorted(refunds) == [1000, 3200]  # each what it gave back, not the sum so far
    service.wait_for_texts(5)
    texts = set(service.stack.texts())
    assert f"REFUND: Scratch: $10.00 of a purchase of 21 notes (dev), {payment['id']}" in texts
    assert f"REFUND: Scratch: $32.00 of a purchase of 21 notes (dev), {payment['id']}" in texts
    assert f"DISPUTE: Scratch: $4.00 (dev), {disputed['id']}" in texts


def test_3d_secure_is_announced_only_after_authentication(service: RunningService):
    body = {"payment_method": "pm_card_authenticationRequired", "storage": 21}
    authenticated, failed, abandoned = (service.api.post(body).json() for _ in range(3))
    assert {payment["status"] for payment in (authenticated, failed, abandoned)} == {"requires_action"}
    service.stack.stripe.authenticate(failed["id"], "fail")
    service.stack.stripe.authenticate(authenticated["id"], "succeed")
    declined = service.api.post({"source": "tok_chargeDeclined", "storage": 1}).json()
    assert service.processes(authenticated["id"])
    assert service.stack.stripe.webhooks.wait(30)
    assert [told["payment_id"] for told in service.stack.announced()] == [authenticated["id"]]
    statuses = {
        payment_id: service.api.get(f"/billing/{payment_id}").json()
        for payment_id in (authenticated["id"], failed["id"], abandoned["id"], declined["payment_id"])
    }
    assert statuses[authenticated["id"]]["status"] == "succeeded"
    assert statuses[failed["id"]]["status"] == "failed"
    assert statuses[failed["id"]]["code"] == "payment_intent_authentication_failure"
    assert statuses[abandoned["id"]]["status"] == "requires_action"
    assert statuses[abandoned["id"]]["client_secret"] == abandoned["client_secret"]
    assert statuses[declined["payment_id"]]["decline_code"] == "generic_decline"


def test_500_purchases_with_webhooks_that_fail_double_and_overtake(service: RunningService):
    service.stack.stripe.webhooks.inject_faults(fail_every=5, duplicate_every=10, shuffle=0.3)
    bodies = [PURCHASE] * 500 + [{"source": "tok_chargeDeclined", "storage": 1}] * 20
    bodies += [{"payment_method": "pm_card_authenticationRequired", "storage": 1}] * 20

    def buy(body: object) -> tuple[int, str, str]:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        response = service.api.request("POST", "/billing", json=body, headers=key)
        while response.status_code >= 500:  # the response asks for a repeat; a machine under load may return it
            response = service.api.request("POST", "/billing", json=body, headers=key)
        payment = response.json()
        return response.status_code, payment.get("id", payment.get("payment_id")), str(payment.get("status"))

    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(buy, bodies))
    paid = {payment_id for status, payment_id, outcome in responses if (status, outcome) == (200, "succeeded")}
    assert len(paid) == 500
    assert service.stack.stripe.webhooks.wait(60)
    announced = [told["payment_id"] for told in service.stack.announced()]
    assert set(announced) == paid  # every one that was paid, and nothing else
    assert len(announced) > 500  # some came twice, with the same id
    service.wait_for_texts(len(announced))
    assert {text.rpartition(" ")[2] for text in service.stack.texts()} == paid


def test_killed_between_charge_and_webhook_the_event_still_arrives(service: RunningService):
    service.stack.stripe.webhooks.inject_faults(shuffle=1.0)  # long enough to be killed before it comes
    payments = [service.api.post(PURCHASE).json()["id"] for _ in range(3)]
    service.api.stop(signal.SIGKILL)
    assert service.stack.announced() == [] or len(service.stack.announced()) < 3
    service.api.__enter__()
    assert all(service.processes(payment) for payment in payments)


def test_killed_during_the_webhook_the_event_still_arrives(service: RunningService):
    service.stack.aws.fail(AwsFault("Publish", delay=20))
    payment = service.api.post(PURCHASE).json()["id"]
    assert eventually(lambda: "Publish" in service.stack.aws.calls)
    service.api.stop(signal.SIGKILL)
    service.stack.aws.clear_faults()
    service.api.__enter__()
    assert service.processes(payment)


@pytest.mark.parametrize(
    "fault",
    [
        AwsFault("Publish", 1000, error="InternalError", status=500),
        AwsFault("Publish", 1000, error="AuthorizationError", status=403),
        AwsFault("Publish", 1000, cut=True),
        AwsFault("Publish", 1000, body=b"<html>hello", status=502),
        AwsFault("Publish", 1000, body=b"<!doctype html>\n<html lang=en>\n<title>500</title>\n<p>Sorry", status=500),
    ],
    ids=["500", "denied", "cut", "nonsense", "a page"],
)
def test_an_outage_of_sns_loses_nothing(service: RunningService, fault: AwsFault):
    service.stack.aws.fail(fault)
    payment = service.api.post(PURCHASE).json()["id"]
    assert eventually(lambda: bool(service.stack.stripe.webhooks.attempts))
    assert {attempt.status for attempt in service.stack.stripe.webhooks.attempts} == {503}
    assert service.stack.announced() == []
    service.stack.aws.clear_faults()
    assert service.processes(payment)


def test_a_text_that_was_not_sent_is_retried(service: RunningService):
    payment = service.api.post(PURCHASE).json()["id"]
    assert service.processes(payment)
    service.stack.aws.fail(AwsFault("Publish", 1000, error="Throttled", status=429))
    calls = len(service.stack.aws.calls)
    service.stack.notify_of(service.stack.announced()[0] | {"payment_id": "pi_again"})
    assert eventually(lambda: service.stack.aws.calls[calls:].count("Publish") >= 2)
    assert not service.was_texted("pi_again")
    service.stack.aws.clear_faults()
    assert eventually(lambda: service.was_texted("pi_again"))


def test_a_malformed_message_is_dropped(service: RunningService):
    for message in ("hello", "[]", '{"event": "note_purchased"}', '{"event": "x"}', "null"):
        service.stack.notify_of(message)
    payment = service.api.post(PURCHASE).json()["id"]
    assert service.processes(payment)
    assert len(service.stack.texts()) == 1
    assert service.stack.queue_is_empty()


def test_another_stages_purchase_on_the_shared_topic_is_not_texted(service: RunningService):
    payment = service.api.post(PURCHASE).json()["id"]
    assert service.processes(payment)
    event = service.stack.announced()[0]
    service.stack.notify_of(event | {"stage": "featureX", "payment_id": "pi_other"})
    service.stack.notify_of(event | {"payment_id": "pi_mine"})
    assert eventually(lambda: service.was_texted("pi_mine"))
    assert service.stack.queue_is_empty()
    assert not service.was_texted("pi_other")


def test_rolling_the_signing_secret_loses_no_event(service: RunningService):
    stripe, aws = service.stack.stripe, service.stack.aws
    (endpoint,) = service.stack.client().v1.webhook_endpoints.list().data
    payments = [service.api.post(PURCHASE).json()["id"]]
    assert service.processes(payments[0])
    overlap = stripe.webhooks.roll(endpoint.id, keep_old_for=60)  # both sign
    payments.append(service.api.post(PURCHASE).json()["id"])
    assert service.processes(payments[1])
    latest = stripe.webhooks.roll(endpoint.id, keep_old_for=0)  # and the next at once
    payments.append(service.api.post(PURCHASE).json()["id"])
    aws.put_secret("/stripeWebhookSecret/dev", latest)
    payments.append(service.api.post(PURCHASE).json()["id"])
    assert all(service.processes(payment) for payment in payments)
    assert overlap != latest


def test_another_stages_payments_are_not_announced_here(service: RunningService):
    with Api(service.stack, STAGE="dev") as same_stage:
        mine = same_stage.post(PURCHASE).json()["id"]
    stripe = service.stack.client()
    params = {"amount": 4200, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
    params["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
    other = [
        stripe.v1.payment_intents.create({**params, "metadata": {"stage": "featureX", "storage": "21"}}).id,
        stripe.v1.payment_intents.create(params).id,
    ]
    assert service.processes(mine)
    assert service.stack.stripe.webhooks.wait(30)
    assert not {told["payment_id"] for told in service.stack.announced()} & set(other)
