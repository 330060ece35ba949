"""A purchase event: what the topic's subscribers receive, and how it is made from a Stripe event."""

import json
from dataclasses import dataclass
from typing import Any

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


def from_stripe_event(event: dict[str, Any], stage: str) -> PurchaseEvent | None:
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


def parse(message: str) -> PurchaseEvent:
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
