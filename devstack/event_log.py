"""The list of payments, webhooks, messages and texts, behind ``GET /events``, the console and the terminal's output."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from devstack.stripe.webhook_delivery import Attempt

Json = dict[str, Any]
# The Stripe events that change a payment's status -> the new status, for a person.
_PAYMENT_EVENTS = {
    "payment_intent.succeeded": "succeeded",
    "payment_intent.processing": "processing",
    "payment_intent.requires_action": "waits for the customer to authenticate",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "canceled",
}


@dataclass(frozen=True)
class Entry:
    """One event.

    ``number`` counts from 0. ``event`` is listed by ``GET /events``. ``links`` relate it to a purchase: ``event_id``
    and ``payment_id`` are Stripe's, ``idempotency_key`` is the key that Stripe received. ``details``: the JSON from
    which the event was made. An entry of kind ``stripe`` only has links, and is not listed.
    """

    number: int
    event: Json
    links: Json
    details: Any


class EventLog:
    """Events, oldest first. Each is ``{"time", "kind", ...}`` with the time in ISO 8601, UTC."""

    def __init__(self, show: Callable[[str], None] = print) -> None:
        """Create an empty log.

        :param show: gets a line of text for each listed event.
        """
        self._show = show
        self._changed = threading.Condition()
        self._entries: list[Entry] = []

    def add(self, kind: str, line: str | None, links: Json | None = None, details: Any = None, **members: Any) -> None:
        """Add an entry.

        :param kind: ``payment``, ``webhook``, ``sms``, ``stripe``, or an event's name, such as ``note_purchased``.
        :param line: the text to show; None for kind ``stripe``, which is not listed.
        :param members: the event's other members. For ``links`` and ``details`` see :class:`Entry`.
        """
        with self._changed:
            now = datetime.now(timezone.utc)
            event = {"time": now.isoformat(timespec="milliseconds"), "kind": kind, **members}
            self._entries.append(Entry(len(self._entries), event, links or {}, details))
            self._changed.notify_all()
        if line is not None:
            self._show(f"{now.astimezone():%H:%M:%S}  {kind:<14} {line}")

    def add_stripe_event(self, event: Json) -> None:
        """Add a Stripe event. It is listed if it changes a payment's status."""
        resource = event["data"]["object"]
        outcome = _PAYMENT_EVENTS.get(event["type"])
        if outcome is None:
            payment_id = resource["id"] if resource["object"] == "payment_intent" else resource.get("payment_intent")
            self.add("stripe", None, links={"event_id": event["id"], "payment_id": payment_id})
            return
        error = resource.get("last_payment_error") or {}
        reason = error.get("decline_code") or error.get("code")
        price = f"{resource['amount'] / 100:,.2f} {resource['currency'].upper()}"
        self.add(
            "payment",
            f"{resource['id']}  {price}  {outcome}{f' ({reason})' if reason else ''}",
            links={"event_id": event["id"], "idempotency_key": event["request"]["idempotency_key"]},
            details=event,
            payment_id=resource["id"],
            status=resource["status"],
            amount=resource["amount"],
            currency=resource["currency"],
            storage=int(resource["metadata"].get("storage", 0)),
            stage=resource["metadata"].get("stage"),
            code=error.get("code"),
            decline_code=error.get("decline_code"),
        )

    def add_delivery(self, attempt: Attempt) -> None:
        """Add an attempt to deliver a webhook."""
        outcome = attempt.status or attempt.error
        self.add(
            "webhook",
            f"{attempt.event_type}  {outcome}{f', attempt {attempt.number}' if attempt.number > 1 else ''}",
            details={"url": attempt.url, "endpoint": attempt.endpoint_id},
            event_id=attempt.event_id,
            event_type=attempt.event_type,
            attempt=attempt.number,
            status=attempt.status,
            error=attempt.error,
        )

    def add_publish(self, publish: dict[str, str]) -> None:
        """Add an SNS Publish, given its parameters: a text message, or a purchase event on the topic."""
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
            return
        event = json.loads(message)
        details = {
            "TopicArn": publish["TopicArn"],
            "Message": dict(event),
            "MessageAttributes": {
                name: publish.get(key.replace(".Name", ".Value.StringValue"), "")
                for key, name in publish.items()
                if re.fullmatch(r"MessageAttributes\.entry\.\d+\.Name", key)
            },
        }
        topic = publish["TopicArn"].rpartition(":")[2]
        self.add(event.pop("event"), f"{event['payment_id']}  on the topic {topic}", details=details, **event)

    def all(self) -> list[Json]:
        """Return the listed events, oldest first."""
        with self._changed:
            return [entry.event for entry in self._entries if entry.event["kind"] != "stripe"]

    def after(self, count: int, timeout: float = 0.0) -> list[Entry]:
        """Return the entries after the first ``count``; wait up to ``timeout`` seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._entries) > count, timeout)
            return self._entries[count:]
