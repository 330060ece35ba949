"""A Stripe event -> a purchase event -> the stage's topic; a purchase event -> a text message."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from chalicelib import sns

# The Stripe events that matter here, and what the rest of the company calls them.
ANNOUNCED = {
    "payment_intent.succeeded": "note_purchased",
    "charge.refunded": "note_refunded",
    "charge.dispute.created": "note_disputed",
}


@dataclass(frozen=True)
class PurchaseEvent:
    """What the topic's subscribers get, as JSON.

    ``event``: note_purchased, note_refunded or note_disputed. ``amount``: cents that were paid, given back, or are
    disputed. ``storage``: notes, None where Stripe's event does not say. ``created``: Unix seconds.
    ``event_id``: Stripe's; delivery is at least once, and this tells a repeat from a second refund.
    """

    event: str
    payment_id: str
    amount: int
    currency: str
    storage: int | None
    stage: str
    created: int
    description: str | None
    event_id: str


class EventError(Exception):
    """What should be an event of Stripe's, or a purchase event, is not."""


def purchase_event(event: dict[str, Any], stage: str) -> PurchaseEvent | None:
    """Return what a verified event of Stripe's means here, or None if it means nothing.

    Several stages share Stripe's test mode, and each gets the events of all: those of another stage's payments, and of
    payments that are not this service's, mean nothing. A dispute does not say whose it is, and is announced.

    :param event: Stripe's event (https://docs.stripe.com/api/events/object).
    :param stage: this stage.
    :raises EventError: a member is missing.
    """
    name = ANNOUNCED.get(event["type"])
    if name is None:
        return None
    try:
        thing = event["data"]["object"]
        metadata = thing.get("metadata") or {}
        if name != "note_disputed" and metadata.get("stage") != stage:
            return None
        amount = thing["amount"]
        if name == "note_purchased":
            payment_id, amount = thing["id"], thing["amount_received"]
        else:
            payment_id = thing["payment_intent"]
        if name == "note_refunded":  # the charge's sum of all refunds; the event says what it was before this one
            before = (event["data"].get("previous_attributes") or {}).get("amount_refunded", 0)
            amount = thing["amount_refunded"] - before
        return PurchaseEvent(
            event=name,
            payment_id=str(payment_id),
            amount=int(amount),
            currency=str(thing["currency"]),
            storage=int(metadata["storage"]) if "storage" in metadata else None,
            stage=stage,
            created=int(event["created"]),
            description=thing.get("description"),
            event_id=str(event["id"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EventError(f"{event['type']}: {type(error).__name__}: {error}") from error


def read(message: str) -> PurchaseEvent:
    """Read a purchase event as the topic's subscribers get it.

    :raises EventError: it is none.
    """
    try:
        event = PurchaseEvent(**json.loads(message))
    except (TypeError, ValueError) as error:
        raise EventError(f"{type(error).__name__}: {error}") from error
    if event.event not in ANNOUNCED.values() or not isinstance(event.amount, int):
        raise EventError(f"event {event.event!r}, amount {event.amount!r}")
    return event


def sms_text(event: PurchaseEvent) -> str:
    """Return the text for the admin's phone."""
    first = {"note_purchased": "", "note_refunded": "REFUND: ", "note_disputed": "DISPUTE: "}[event.event]
    price = f"${event.amount / 100:,.2f}" if event.currency == "usd" else f"{event.amount} {event.currency}"
    number = f"{event.storage} note{'' if event.storage == 1 else 's'}"
    of_what = {"note_purchased": f" for {number}", "note_refunded": f" of a purchase of {number}"}.get(event.event, "")
    return f"{first}Scratch: {price}{of_what if event.storage else ''} ({event.stage}), {event.payment_id}"


class Publisher:
    """Publishes to the stage's topic, and to phones."""

    def __init__(self, topic: str) -> None:
        """Nothing is called yet.

        :param topic: the topic's name.
        """
        self._topic = topic

    @cached_property
    def _account(self) -> str:
        """What stands for the function's ARN under `chalice local`."""
        return sns.account()

    def announce(self, event: PurchaseEvent, function_arn: str) -> None:
        """Publish to the stage's topic.

        :param event: what happened.
        :param function_arn: the running function's, whose region and account are the topic's; empty outside Lambda.
        :raises sns.PublishError: it was not published.
        """
        _, partition, _, region, account = (function_arn or self._account).split(":")[:5]
        to = {"TopicArn": f"arn:{partition}:sns:{region}:{account}:{self._topic}"}
        sns.publish(json.dumps(asdict(event)), to, {"event": event.event, "stage": event.stage})

    def text(self, phone: str, message: str) -> None:
        """Send a text message.

        :param phone: E.164.
        :raises sns.PublishError: it was not sent.
        """
        sns.publish(message, {"PhoneNumber": phone})
