"""What happened, oldest first: kept for ``GET /events`` and shown as it comes."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from devstack import reference
from devstack.stripe.webhooks import Attempt

# The Stripe events that say what became of a payment, and what a person is told.
_PAYMENT_EVENTS = {
    "payment_intent.succeeded": "succeeded",
    "payment_intent.processing": "processing",
    "payment_intent.requires_action": "waits for the customer to authenticate",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "canceled",
}


class EventLog:
    """The list of events. An event is ``{"time", "kind", ...}`` with the time in ISO 8601, UTC."""

    def __init__(self, show: Callable[[str], None] = print) -> None:
        """Begin an empty list.

        :param show: gets a line for a person for each event.
        """
        self._show = show
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []

    def add(self, kind: str, line: str, **members: Any) -> None:
        """Add an event.

        :param kind: ``payment``, ``webhook``, ``sms``, or the purchase event's name: ``note_purchased``, …
        :param line: what a person reads.
        :param members: the event's other members.
        """
        now = datetime.now(timezone.utc)
        with self._lock:
            self._events.append({"time": now.isoformat(timespec="milliseconds"), "kind": kind, **members})
        self._show(f"{now.astimezone():%H:%M:%S}  {kind:<14} {line}")

    def add_stripe_event(self, event: dict[str, Any]) -> None:
        """Add what an event of Stripe says about a payment; others are passed over."""
        outcome = _PAYMENT_EVENTS.get(event["type"])
        if outcome is None:
            return
        intent = event["data"]["object"]
        error = intent.get("last_payment_error") or {}
        reason = error.get("decline_code") or error.get("code")
        price = f"{intent['amount'] / 100:,.2f} {intent['currency'].upper()}"
        self.add(
            "payment",
            f"{intent['id']}  {price}  {outcome}{f' ({reason})' if reason else ''}",
            payment_id=intent["id"],
            status=intent["status"],
            amount=intent["amount"],
            currency=intent["currency"],
            storage=int(intent["metadata"].get("storage", 0)),
            stage=intent["metadata"].get("stage"),
            code=error.get("code"),
            decline_code=error.get("decline_code"),
        )

    def add_delivery(self, attempt: Attempt) -> None:
        """Add an attempt to deliver a webhook."""
        outcome = attempt.status or attempt.error
        self.add(
            "webhook",
            f"{attempt.event_type}  {outcome}{f', attempt {attempt.number}' if attempt.number > 1 else ''}",
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
            self.add("sms", f"to {publish['PhoneNumber']}: {message}", phone=publish["PhoneNumber"], text=message)
        else:
            event = json.loads(message)
            topic = publish["TopicArn"].rpartition(":")[2]
            self.add(event.pop("event"), f"{event['payment_id']}  on the topic {topic}", **event)

    def all(self) -> list[dict[str, Any]]:
        """Return the events, oldest first."""
        with self._lock:
            return list(self._events)


class EventServer:
    """Serves ``GET /events``, and the API's reference at ``/api/``."""

    def __init__(self, log: EventLog, port: int, host: str = "127.0.0.1", api: str = reference.API) -> None:
        """Bind the port.

        :param port: 0 for any free one.
        :param api: where the reference page finds the API.
        :raises OSError: the port is taken.
        """
        self._server = ThreadingHTTPServer((host, port), type("_BoundHandler", (_Handler,), {"log": log, "api": api}))
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="events", daemon=True)

    def start(self) -> "EventServer":
        """Serve in the background."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    log: EventLog
    api: str

    def do_GET(self) -> None:
        """Answer /events; anything else is told where they are."""
        if self.path == "/events":
            self._answer(200, self.log.all())
        elif page := reference.answer(urlsplit(self.path).path, self.api):
            self._send(200, *page)
        else:
            self._answer(404, {"detail": "What happened is at /events, the API's reference at /api/."})

    def _answer(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value, indent=1).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the screen is for what happens to payments."""
