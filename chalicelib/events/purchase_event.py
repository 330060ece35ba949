"""A purchase event: what the topic's subscribers receive, and how it is made from a Stripe event."""

import json
from typing import Any, NamedTuple

# The Stripe events that are published, and the names they are published under.
ANNOUNCED = {
    "payment_intent.succeeded": "note_purchased",
    "charge.refunded": "note_refunded",
    "charge.dispute.created": "note_disputed",
}


class PurchaseEvent(NamedTuple):
    """What the topic's subscribers receive, as JSON.

    ``event``: note_purchased, note_refunded or note_disputed. ``amount``: cents that were paid, refunded, or are
    disputed. ``storage``: notes; None if Stripe's event does not have it. ``created``: Unix seconds.
    ``event_id``: Stripe's. Delivery is at least once, and the id tells a repeat from a second refund.
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
    """A Stripe event or a purchase event is malformed."""


def from_stripe_event(event: dict[str, Any], stage: str) -> PurchaseEvent | None:
    """Convert a verified Stripe event, or return None if it is not published.

    Stages share Stripe's test mode, and each receives the events of all: those of another stage's payments, and of
    payments that this service did not make, are not published. A dispute does not name its stage, and is published.

    :param event: Stripe's event (https://docs.stripe.com/api/events/object).
    :param stage: this stage.
    :raises EventError: a member is missing.
    """
    name = ANNOUNCED.get(event["type"])
    if name is None:
        return None
    try:
        stripe_object = event["data"]["object"]
        metadata = stripe_object.get("metadata") or {}
        if name != "note_disputed" and metadata.get("stage") != stage:
            return None
        amount = stripe_object["amount"]
        if name == "note_purchased":
            payment_id, amount = stripe_object["id"], stripe_object["amount_received"]
        else:
            payment_id = stripe_object["payment_intent"]
        if name == "note_refunded":  # the charge has the sum of its refunds; the event has the sum before this one
            before = (event["data"].get("previous_attributes") or {}).get("amount_refunded", 0)
            amount = stripe_object["amount_refunded"] - before
        return PurchaseEvent(
            event=name,
            payment_id=str(payment_id),
            amount=int(amount),
            currency=str(stripe_object["currency"]),
            storage=int(metadata["storage"]) if "storage" in metadata else None,
            stage=stage,
            created=int(event["created"]),
            description=stripe_object.get("description"),
            event_id=str(event["id"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EventError(f"{event['type']}: {type(error).__name__}: {error}") from error


def parse(message: str) -> PurchaseEvent:
    """Parse a purchase event from the JSON that the topic's subscribers receive.

    :raises EventError: the message is malformed.
    """
    try:
        event = PurchaseEvent(**json.loads(message))
    except (TypeError, ValueError) as error:
        raise EventError(f"{type(error).__name__}: {error}") from error
    if event.event not in ANNOUNCED.values() or not isinstance(event.amount, int):
        raise EventError(f"event {event.event!r}, amount {event.amount!r}")
    return event
