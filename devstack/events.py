"""What happened, oldest first: kept for ``GET /events`` and the console, and shown as it comes."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from devstack.stripe.webhook_delivery import Attempt

# The Stripe events that say what became of a payment, and what a person is told.
_PAYMENT_EVENTS = {
    "payment_intent.succeeded": "succeeded",
    "payment_intent.processing": "processing",
    "payment_intent.requires_action": "waits for the customer to authenticate",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "canceled",
}


@dataclass(frozen=True)
class Entry:
    """Something that happened.

    ``number`` counts from 0. ``event`` is what ``GET /events`` lists; ``links`` tie it to a purchase: ``event_id`` and
    ``payment_id`` are Stripe's, ``idempotency_key`` is the one that Stripe got. ``behind``: the JSON that it was made
    of. ``listed``: whether it is an event for a person, or is there for its links alone.
    """

    number: int
    event: dict[str, Any]
    links: dict[str, Any] = field(default_factory=dict)
    behind: Any = None
    listed: bool = True


class EventLog:
    """The list of events. An event is ``{"time", "kind", ...}`` with the time in ISO 8601, UTC."""

    def __init__(self, show: Callable[[str], None] = print) -> None:
        """Begin an empty list.

        :param show: gets a line for a person for each event.
        """
        self._show = show
        self._grown = threading.Condition()
        self._entries: list[Entry] = []

    def add(
        self,
        kind: str,
        line: str | None,
        *,
        links: dict[str, Any] | None = None,
        behind: Any = None,
        **members: Any,
    ) -> None:
        """Add an event.

        :param kind: ``payment``, ``webhook``, ``sms``, or the purchase event's name: ``note_purchased``, …
        :param line: what a person reads; None for what is no event for a person.
        :param links: see :class:`Entry`.
        :param behind: see :class:`Entry`.
        :param members: the event's other members.
        """
        with self._grown:
            now = datetime.now(timezone.utc)
            event = {"time": now.isoformat(timespec="milliseconds"), "kind": kind, **members}
            self._entries.append(Entry(len(self._entries), event, links or {}, behind, line is not None))
            self._grown.notify_all()
        if line is not None:
            self._show(f"{now.astimezone():%H:%M:%S}  {kind:<14} {line}")

    def add_stripe_event(self, event: dict[str, Any]) -> None:
        """Add what an event of Stripe says about a payment; others are kept for their links."""
        thing = event["data"]["object"]
        outcome = _PAYMENT_EVENTS.get(event["type"])
        if outcome is None:
            payment_id = thing["id"] if thing["object"] == "payment_intent" else thing.get("payment_intent")
            self.add("stripe", None, links={"event_id": event["id"], "payment_id": payment_id})
            return
        error = thing.get("last_payment_error") or {}
        reason = error.get("decline_code") or error.get("code")
        price = f"{thing['amount'] / 100:,.2f} {thing['currency'].upper()}"
        self.add(
            "payment",
            f"{thing['id']}  {price}  {outcome}{f' ({reason})' if reason else ''}",
            links={"event_id": event["id"], "idempotency_key": event["request"]["idempotency_key"]},
            behind=event,
            payment_id=thing["id"],
            status=thing["status"],
            amount=thing["amount"],
            currency=thing["currency"],
            storage=int(thing["metadata"].get("storage", 0)),
            stage=thing["metadata"].get("stage"),
            code=error.get("code"),
            decline_code=error.get("decline_code"),
        )

    def add_delivery(self, attempt: Attempt) -> None:
        """Add an attempt to deliver a webhook."""
        outcome = attempt.status or attempt.error
        self.add(
            "webhook",
            f"{attempt.event_type}  {outcome}{f', attempt {attempt.number}' if attempt.number > 1 else ''}",
            behind={"url": attempt.url, "endpoint": attempt.endpoint_id},
            event_id=attempt.event_id,
            event_type=attempt.event_type,
            attempt=attempt.number,
            status=attempt.status,
            error=attempt.error,
        )

    def add_publish(self, publish: dict[str, str]) -> None:
        """Add what was published through SNS: a text message, or a purchase event on the topic."""
        message = publish["Message"]
        if "PhoneNumber" in publish:
            payment = re.search(r"pi_\w+", message)
            self.add(
                "sms",
                f"to {publish['PhoneNumber']}: {message}",
                links={"payment_id": payment[0]} if payment else {},
                phone=publish["PhoneNumber"],
                text=message,
            )
        else:
            event = json.loads(message)
            topic = publish["TopicArn"].rpartition(":")[2]
            behind = {
                "TopicArn": publish["TopicArn"],
                "Message": dict(event),
                "MessageAttributes": _attributes(publish),
            }
            self.add(event.pop("event"), f"{event['payment_id']}  on the topic {topic}", behind=behind, **event)

    def all(self) -> list[dict[str, Any]]:
        """Return the events, oldest first."""
        with self._grown:
            return [entry.event for entry in self._entries if entry.listed]

    def entry(self, number: int) -> Entry | None:
        """Return the entry of a number, or None if there is none."""
        with self._grown:
            return self._entries[number] if 0 <= number < len(self._entries) else None

    def after(self, count: int, timeout: float = 0.0) -> list[Entry]:
        """Return the entries that came after so many, waiting for the first of them at most ``timeout`` seconds."""
        with self._grown:
            self._grown.wait_for(lambda: len(self._entries) > count, timeout)
            return self._entries[count:]


def _attributes(publish: dict[str, str]) -> dict[str, str]:
    """Return the message attributes that are in the parameters of a Publish."""
    names = {key: value for key, value in publish.items() if re.fullmatch(r"MessageAttributes\.entry\.\d+\.Name", key)}
    return {name: publish.get(key.replace(".Name", ".Value.StringValue"), "") for key, name in names.items()}
