"""Purchase events: which of Stripe's events are published, with which fields, and what the admin's phone shows."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.aws.sns import PublishError
from chalicelib.config import load
from chalicelib.events.notification import Notifier, sms_text
from chalicelib.events.purchase_event import PurchaseEvent, from_stripe_event
from chalicelib.key_formats import SENSITIVE
from chalicelib.problems import Problem
from chalicelib.telemetry import Redactor, Telemetry
from tests.support import log_lines

PURCHASED = PurchaseEvent("note_purchased", "pi_1", 4200, "usd", 21, "dev", 2, "Scratch charge", "evt_1")
COMMON = {"currency": "usd", "description": "Scratch charge", "metadata": {"stage": "dev", "storage": "21"}}
INTENT = {**COMMON, "id": "pi_1", "amount": 4300, "amount_received": 4200}
CHARGE = {**COMMON, "id": "ch_1", "payment_intent": "pi_1", "amount": 4200, "amount_refunded": 3000}
DISPUTE = {"id": "dp_1", "payment_intent": "pi_1", "amount": 4200, "currency": "usd", "metadata": {}}
FUNCTION = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:notes-billing-dev"


def stripe_event(kind: str = "payment_intent.succeeded", thing: Any = INTENT, **data: Any) -> dict[str, Any]:
    return {"id": "evt_1", "type": kind, "created": 2, "data": {"object": thing, **data}}


@pytest.mark.parametrize(
    ("event", "published"),
    [
        (stripe_event(), PURCHASED),
        (
            stripe_event("charge.refunded", CHARGE, previous_attributes={"amount_refunded": 1000}),
            PURCHASED._replace(event="note_refunded", amount=2000),  # what this refund returned, not the sum
        ),
        (stripe_event("charge.refunded", CHARGE), PURCHASED._replace(event="note_refunded", amount=3000)),
        (
            stripe_event("charge.dispute.created", DISPUTE),  # a dispute does not name its stage
            PURCHASED._replace(event="note_disputed", storage=None, description=None),
        ),
        (stripe_event("payment_intent.created"), None),
        (stripe_event("charge.succeeded", CHARGE), None),
        (stripe_event(thing={**INTENT, "metadata": {"stage": "featureX", "storage": "21"}}), None),
        (stripe_event(thing={**INTENT, "metadata": None}), None),
        (stripe_event("charge.refunded", {**CHARGE, "metadata": {"stage": "prod"}}), None),
    ],
)
def test_a_stage_publishes_its_own_purchases_and_refunds_and_every_dispute(event, published):
    assert from_stripe_event(event, "dev") == published


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (PURCHASED, "Scratch: $42.00 for 21 notes (dev), pi_1"),
        (PURCHASED._replace(storage=1, amount=123456), "Scratch: $1,234.56 for 1 note (dev), pi_1"),
        (
            PURCHASED._replace(event="note_refunded", amount=1000),
            "REFUND: Scratch: $10.00 of a purchase of 21 notes (dev), pi_1",
        ),
        (PURCHASED._replace(event="note_disputed", storage=None), "DISPUTE: Scratch: $42.00 (dev), pi_1"),
        (PURCHASED._replace(currency="jpy", storage=None), "Scratch: 4200 jpy (dev), pi_1"),
    ],
)
def test_the_text_begins_with_what_happened(event, text):
    assert sms_text(event) == text


class Service:
    """A notifier of dev, what it publishes, and the log line of its last call."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.published: list[tuple[Any, ...]] = []
        self.error: PublishError | None = None
        self.line: dict[str, Any] = {}
        self._capsys = capsys
        self._telemetry = Telemetry("dev", Redactor(SENSITIVE))
        self._notifier = Notifier(load({"STAGE": "dev"}), self._telemetry, self._publish)

    def _publish(self, *arguments: Any) -> None:
        if self.error:
            raise self.error
        self.published.append(arguments)

    def announce(self, event: dict[str, Any]) -> str | None:
        return self._in_request(lambda: self._notifier.announce(event, FUNCTION))

    def text(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self._in_request(lambda: self._notifier.text_admin(text))

    def _in_request(self, action: Callable[[], Any]) -> Any:
        try:
            with self._telemetry.request():
                return action()
        finally:
            (self.line,) = log_lines.parse(self._capsys.readouterr().out)


@pytest.fixture
def service(capsys: pytest.CaptureFixture[str]) -> Service:
    return Service(capsys)


def test_a_purchase_is_published_to_the_topic_of_the_functions_account_and_counted(service: Service):
    assert service.announce(stripe_event()) == "note_purchased"
    ((message, target, attributes),) = service.published
    assert json.loads(message) == PURCHASED._asdict()
    assert target == {"TopicArn": "arn:aws-us-gov:sns:us-gov-west-1:123456789012:NotePurchased-dev"}
    assert attributes == {"event": "note_purchased", "stage": "dev"}
    assert log_lines.metrics(service.line) == {"Purchases": 1, "Amount": 4200}
    assert (service.line["stripe_event"], service.line["payment_id"]) == ("evt_1", "pi_1")


def test_a_refund_is_published_but_not_counted_as_a_purchase_and_an_irrelevant_event_is_dropped(service: Service):
    assert service.announce(stripe_event("charge.refunded", CHARGE)) == "note_refunded"
    assert log_lines.metrics(service.line) == {}
    assert service.announce(stripe_event("charge.succeeded")) is None
    assert len(service.published) == 1


@pytest.mark.parametrize(
    ("thing", "error"),
    [
        (INTENT, PublishError("InternalError (500)")),
        (None, None),
        ([], None),
        ({"metadata": {"stage": "dev"}}, None),
        ({**INTENT, "amount_received": None}, None),
        ({**INTENT, "metadata": {"stage": "dev", "storage": "many"}}, None),
    ],
)
def test_an_event_that_can_not_be_published_is_sent_again(service: Service, thing, error):
    service.error = error
    with pytest.raises(Problem) as raised:
        service.announce(stripe_event(thing=thing))
    assert (raised.value.code, raised.value.metrics()) == ("announcement_failed", [("WebhookFailures", {})])
    assert raised.value.headers == {"Retry-After": "5"}
    assert raised.value.cause.startswith("InternalError" if error else "payment_intent.succeeded: ")
    assert (service.published, log_lines.metrics(service.line)) == ([], {})


def test_the_admin_is_texted_about_messages_of_the_own_stage(service: Service):
    service.text(PURCHASED._replace(stage="featureX")._asdict())  # stages without a topic of their own share dev's
    service.text(PURCHASED._asdict())
    assert service.published == [(sms_text(PURCHASED), {"PhoneNumber": "+14151234567"})]
    assert (service.line["payment_id"], log_lines.metrics(service.line)) == ("pi_1", {})


@pytest.mark.parametrize(
    "message",
    ["hello", "null", {}, PURCHASED._replace(event="stolen")._asdict(), PURCHASED._replace(amount="1")._asdict()],
)
def test_a_malformed_message_is_dropped_and_counted(service: Service, message):
    service.text(message)
    assert service.published == []
    assert log_lines.metrics(service.line) == {"NotifyUnreadable": 1}


def test_a_text_that_was_not_sent_is_counted_and_lambda_invokes_the_function_again(service: Service):
    service.error = PublishError("Throttled (429)")
    with pytest.raises(PublishError):
        service.text(PURCHASED._asdict())
    assert log_lines.metrics(service.line) == {"NotifyFailures": 1}
    assert service.line["cause"] == "Throttled (429)"
