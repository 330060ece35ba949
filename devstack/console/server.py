"""The console's server: its page, what happened, live and in full, and the switches. For this machine alone."""

import contextlib
import json
import re
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devstack import reference
from devstack.console import page
from devstack.console.fault_switches import Switches
from devstack.event_log import Entry, EventLog
from devstack.stripe.errors import StripeError
from devstack.stripe.server import StripeServer

# What answers a path with a page: content type and body, or None. The first that has one is taken.
Pages = Callable[[str], tuple[str, bytes] | None]

_HERE = {"127.0.0.1", "localhost", "[::1]"}
_LARGEST_BODY = 1 << 12  # bytes
# Seconds: how often switches are looked at that others than the console may turn, and a silent stream says it is there.
_LOOK = 0.5
_NOTE = re.compile(r"/events/(\d{1,9})")
_AUTHENTICATE = re.compile(r"/payment_intents/(pi_\w{1,250})/authenticate")


class Console:
    """The console of a running devstack.

    | address | |
    |---|---|
    | ``GET /`` | the page, with what belongs to it |
    | ``GET /api/``, ``GET /openapi.json`` | the API's reference |
    | ``GET /events`` | what happened, oldest first |
    | ``GET /events/{number}`` | the JSON behind an entry of the stream |
    | ``GET /stream`` | entries and switches as they change (server-sent events) |
    | ``GET /switches`` | |
    | ``POST /switches`` | ``{"name": "stripe_slow", "on": true}`` |
    | ``POST /heal``, ``/rotate-key``, ``/restart`` | ``{}`` |
    | ``POST /payment_intents/{id}/authenticate`` | ``{"outcome": "succeed"}`` or ``"fail"`` |
    """

    def __init__(
        self,
        log: EventLog,
        payments: StripeServer,
        switches: Switches,
        api: str,
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        """Bind the port.

        :param api: the API's address, which the page calls.
        :param port: 0 for any free one.
        :raises OSError: the port is taken.
        """
        self.log, self.payments, self.switches = log, payments, switches
        self.pages: list[Pages] = [page.source(api), lambda path: reference.answer(path, api)]
        self.stopping = threading.Event()
        # A browser that comes back after a restart must not go on where another run's stream ended.
        self.run = secrets.token_hex(4)
        self.policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' {api}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._server = _Server((host, port), _Handler)
        self._server.console = self
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="console", daemon=True)

    def start(self) -> "Console":
        """Serve in the background."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, end every stream, and free the port."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def behind(self, number: int) -> dict[str, Any] | None:
        """Return an entry of the log with the JSON that it was made of; None if there is none."""
        entry = self.log.entry(number)
        if entry is None:
            return None
        found = {**entry.event, **({} if entry.behind is None else {"behind": entry.behind})}
        if key := entry.links.get("idempotency_key"):
            # None is the status of a call whose answer was lost.
            statuses = [call.status for call in list(self.payments.requests) if call.idempotency_key == key]
            found = {"calls_with_this_key": statuses, **found}
        return found

    def act(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Do what is asked for, and return what there is to say; None if there is no such address.

        :raises ValueError: it makes no sense; the message is a sentence.
        :raises StripeError: the payment does not wait for its customer.
        """
        if found := _AUTHENTICATE.fullmatch(path):
            status = self.payments.authenticate(found[1], _given(body, "outcome", str))["status"]
            return {"status": status}
        match path:
            case "/switches":
                self.switches.turn(_given(body, "name", str), _given(body, "on", bool))
            case "/heal":
                self.switches.heal()
            case "/rotate-key":
                self.switches.rotate_key()
            case "/restart":
                self.switches.restart()
            case _:
                return None
        return self.switches.state()


def _given(body: dict[str, Any], name: str, kind: type) -> Any:
    if not isinstance(body.get(name), kind):
        raise ValueError(f"The field {name!r} must be there, and be a {'boolean' if kind is bool else 'string'}.")
    return body[name]


def _shown(entry: Entry) -> dict[str, Any]:
    return {"number": entry.number, **entry.event, **entry.links}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    console: Console

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: what ends here is a browser that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        console, path = self.server.console, self.path.partition("?")[0]
        if self._is_strange():
            return
        if path == "/events":
            self._answer(200, console.log.all())
        elif path == "/switches":
            self._answer(200, console.switches.state())
        elif path == "/stream":
            with contextlib.suppress(OSError):  # a browser that went away
                self._stream()
        elif found := _NOTE.fullmatch(path):
            behind = console.behind(int(found[1]))
            self._answer(200 if behind else 404, behind or {"detail": "There is no such entry."})
        elif answer := next(filter(None, (pages(path) for pages in console.pages)), None):
            self._send(200, *answer)
        else:
            self._answer(404, {"detail": "The console is at /, and what happened at /events."})

    def do_POST(self) -> None:
        if self._is_strange():
            return
        # A page from elsewhere can't send JSON without asking first (CORS), which nobody answers here.
        if self.headers.get_content_type() != "application/json":
            self._answer(415, {"detail": "The body must be application/json."})
            return
        try:
            done = self.server.console.act(self.path, self._body())
        except ValueError as error:
            self._answer(400, {"detail": str(error)})
        except StripeError as error:
            self._answer(error.status, {"detail": str(error)})
        else:
            self._answer(404 if done is None else 200, done or {"detail": f"There is no POST {self.path}."})

    def _is_strange(self) -> bool:
        """Refuse a call under another name than this machine's: a name that a stranger's page made lead here."""
        if self.headers.get("Host", "127.0.0.1").rpartition(":")[0] in _HERE or self.headers.get("Host") in _HERE:
            return False
        self._answer(403, {"detail": "The console answers to 127.0.0.1 and localhost alone."})
        return True

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= _LARGEST_BODY):
            raise ValueError(f"A body needs a Content-Length, of at most {_LARGEST_BODY} bytes.")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            raise ValueError(f"The body is no JSON: {error}.") from error
        if not isinstance(body, dict):
            raise ValueError("The body must be a JSON object.")
        return body

    def _stream(self) -> None:
        """Send entries and switches as they change, until either side ends it."""
        console = self.server.console
        run, _, last = self.headers.get("Last-Event-ID", "").partition("-")
        sent = int(last) + 1 if run == console.run and last.isascii() and last.isdigit() else 0
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if not sent:
            self.wfile.write(b"retry: 1000\n")  # milliseconds until a browser comes back
            self._tell("begin", {"run": console.run})
        state: Any = None
        entries = console.log.after(sent)
        while not console.stopping.is_set():
            for entry in entries:
                self._tell("entry", _shown(entry), f"{console.run}-{entry.number}")
            sent += len(entries)
            now = console.switches.state()
            if now != state:
                self._tell("switches", now)
            elif not entries:
                self.wfile.write(b":\n\n")
            state = now
            self.wfile.flush()
            entries = console.log.after(sent, _LOOK)

    def _tell(self, kind: str, value: object, number: str = "") -> None:
        label = f"id: {number}\n" if number else ""
        self.wfile.write(f"event: {kind}\n{label}data: {json.dumps(value)}\n\n".encode())

    def _answer(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value, indent=1).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": self.server.console.policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the screen is for what happens to payments."""
