"""The console's web server: its page, the event list and stream, and the fault switches. On loopback only."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, render_template, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from devstack import reference
from devstack.console.fault_switches import SWITCHES, RestartError, Switches
from devstack.event_log import EventLog
from devstack.loopback_server import LoopbackServer
from devstack.stripe.errors import StripeError
from devstack.stripe.server import StripeServer

_HOSTS = {"127.0.0.1", "localhost", "[::1]"}
# Seconds between reads of the switches, which others may change too, and between signs of life on a silent stream.
_POLL_INTERVAL = 0.5
_STATIC = Path(__file__).resolve().parent / "static"


class Console(LoopbackServer):
    """The console of a running devstack."""

    def __init__(self, log: EventLog, payments: StripeServer, switches: Switches, api: str, port: int = 0) -> None:
        """Bind the port, as :class:`LoopbackServer` does.

        :param api: the API's address, for the page.
        """
        self._log, self._payments, self._switches, self._api = log, payments, switches, api
        # Identifies this run: a browser that reconnects after a restart must get the new run's stream from its start.
        self._run = secrets.token_hex(4)
        super().__init__(self._build_app(), port)

    def _build_app(self) -> Flask:
        app = Flask(__name__, static_folder=_STATIC, static_url_path="")
        app.config.update(MAX_CONTENT_LENGTH=4096, TEMPLATES_AUTO_RELOAD=True)
        app.json = DefaultJSONProvider(app)
        app.json.sort_keys = app.json.compact = False  # people read it in a browser
        app.before_request(self._reject)
        app.after_request(self._add_headers)
        for error in (HTTPException, StripeError, RestartError, ValueError):
            app.register_error_handler(error, _describe)
        for method, path, view in (
            ("GET", "/", self._page),
            ("GET", "/api/", self._reference),
            ("GET", "/api/<path:_name>", self._reference),
            ("GET", "/openapi.yaml", self._reference),
            ("GET", "/events", self._log.all),
            ("GET", "/events/<int:number>", self._event),  # with the JSON from which it was made
            ("GET", "/stream", self._stream),  # server-sent events: new entries, and the switches when they change
            ("GET", "/switches", self._switches.state),
            ("POST", "/switches", self._turn),  # {"name": "stripe_slow", "on": true}
            ("POST", "/clear-faults", self._changing(self._switches.clear)),
            ("POST", "/rotate-key", self._changing(self._switches.rotate_key)),
            ("POST", "/restart", self._changing(self._switches.restart)),
            ("POST", "/payment_intents/<payment_id>/authenticate", self._authenticate),  # {"outcome": "succeed"}
        ):
            app.add_url_rule(path, f"{method} {path}", view, methods=[method])
        return app

    def _reject(self) -> tuple[dict[str, str], int] | None:
        """Reject requests that a page of another origin makes the browser send."""
        host = request.headers.get("Host", "127.0.0.1")
        if _HOSTS.isdisjoint((host, host.rpartition(":")[0])):
            return {"detail": "The console accepts requests for 127.0.0.1 and localhost only."}, 403
        # From another origin, JSON needs a CORS preflight, which fails here.
        if request.method == "POST" and not request.is_json:
            return {"detail": "The body must be application/json."}, 415
        if request.method == "POST" and not isinstance(request.get_json(silent=True), dict):
            return {"detail": "The body must be a JSON object."}, 400
        return None

    def _add_headers(self, response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self' {self._api}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _page(self) -> str:
        modules = sorted(file.name for file in _STATIC.glob("*.js") if file.name != "main.js")
        return render_template("index.html", api=self._api, modules=modules, switches=SWITCHES)

    def _reference(self, _name: str = "") -> Response:
        content_type, content = reference.find(request.path, self._api) or abort(404)
        return Response(content, content_type=content_type)

    def _event(self, number: int) -> dict[str, Any]:
        entry = next(iter(self._log.after(number)), None) or abort(404)
        event = entry.event if entry.details is None else {**entry.event, "details": entry.details}
        key = entry.links.get("idempotency_key")
        if key is None:
            return event
        # The status of a call whose response was lost is None.
        statuses = [call.status for call in list(self._payments.requests) if call.idempotency_key == key]
        return {"calls_with_this_key": statuses, **event}

    def _turn(self) -> dict[str, Any]:
        self._switches.turn(_field("name", str), _field("on", bool))
        return self._switches.state()

    def _changing(self, change: Callable[[], None]) -> Callable[[], dict[str, Any]]:
        """Return a view that makes a change and responds with the switches' state."""

        def view() -> dict[str, Any]:
            change()
            return self._switches.state()

        return view

    def _authenticate(self, payment_id: str) -> dict[str, Any]:
        return {"status": self._payments.authenticate(payment_id, _field("outcome", str))["status"]}

    def _stream(self) -> Response:
        run, _, last = request.headers.get("Last-Event-ID", "").partition("-")
        sent = int(last) + 1 if run == self._run and re.fullmatch(r"[0-9]{1,9}", last) else 0
        return Response(self._messages(sent), content_type="text/event-stream")

    def _messages(self, sent: int) -> Iterator[str]:
        """Yield the entries after the first ``sent``, and the switches when they change, until either side stops."""
        if not sent:
            # Milliseconds until a browser reconnects.
            yield "retry: 1000\n" + _message("begin", {"run": self._run})
        sent_state: Any = None
        entries = self._log.after(sent)
        while not self.stopping.is_set():
            messages = [
                _message("entry", {"number": entry.number, **entry.event, **entry.links}, f"{self._run}-{entry.number}")
                for entry in entries
            ]
            sent += len(entries)
            state = self._switches.state()
            if state != sent_state:
                messages.append(_message("switches", state))
            sent_state = state
            yield "".join(messages) or ":\n\n"
            entries = self._log.after(sent, _POLL_INTERVAL)


def _message(kind: str, value: object, message_id: str = "") -> str:
    return f"event: {kind}\n" + (f"id: {message_id}\n" if message_id else "") + f"data: {json.dumps(value)}\n\n"


def _field(name: str, kind: type) -> Any:
    value = request.get_json().get(name)
    if not isinstance(value, kind):
        raise ValueError(f"The field {name!r} is required and must be a {'boolean' if kind is bool else 'string'}.")
    return value


def _describe(error: Exception) -> tuple[dict[str, str], int]:
    """Return the error response: its detail is a sentence for a person."""
    if isinstance(error, NotFound | MethodNotAllowed):
        detail = f"{request.method} {request.path} does not exist. The console is at / and the event list at /events."
        return {"detail": detail}, 404
    if isinstance(error, HTTPException):
        return {"detail": error.description or error.name}, error.code or 500
    return {"detail": str(error)}, getattr(error, "status", 400)
