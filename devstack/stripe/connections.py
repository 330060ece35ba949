"""Connections: accepted, kept alive, read and written, cut off, and all closed at the end."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from devstack.stripe.messages import Answer, Request, encoded

_LARGEST_BODY = 1 << 20  # bytes
_ENDED_WITHIN = 5.0  # seconds

Responder = Callable[[Request, int], Answer | None]


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Accepts connections, one thread each. ``stopping`` is set when they are to end."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], respond: Responder) -> None:
        """Bind the address.

        :param address: host and port.
        :param respond: gets each call and the number of its connection; None cuts the connection.
        :raises OSError: the port is taken.
        """
        self.respond = respond
        self.stopping = threading.Event()
        self.accepted = 0
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, _Handler)

    def opened(self, connection: socket.socket) -> int:
        """Count a connection, and return its number: the first is 1."""
        with self._lock:
            self._open[connection] = threading.current_thread()
            self.accepted += 1
            if self.stopping.is_set():
                _cut(connection)
            return self.accepted

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.pop(connection, None)

    def close_connections(self) -> None:
        """Cut every connection off, and wait until its thread has ended."""
        with self._lock:
            threads = list(self._open.values())
            for connection in self._open:
                _cut(connection)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(_ENDED_WITHIN)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: what ends here is a client that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stripe-stand-in"
    sys_version = ""
    # An answer leaves in one write and at once: else Nagle's algorithm and delayed ACKs cost a kept-alive client 40 ms.
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Listener

    def setup(self) -> None:
        super().setup()
        self._number = self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        body = self._body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.respond(Request(self.command, path, query, body, headers), self._number)
        if answer is None:
            self.close_connection = True
            _cut(self.connection)
        else:
            self._write(answer)

    do_POST = do_DELETE = do_PUT = do_PATCH = do_GET

    def _body(self) -> bytes | None:
        """Return the body; None if there will be none, and the call is answered, or its client is gone."""
        length = self.headers.get("Content-Length", "0")
        too_long = not length.isascii() or not length.isdigit() or int(length) > _LARGEST_BODY
        if too_long or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            message = f"A body needs a Content-Length, of at most {_LARGEST_BODY} bytes."
            self._write(Answer(413, encoded({"error": {"message": message, "type": "invalid_request_error"}})))
            return None
        body = self.rfile.read(int(length))
        # A client that went away in the middle of its body asked for nothing.
        return body if len(body) == int(length) else None

    def _write(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            # A header that a client made up and gets back must not end early.
            self.send_header(name, value.replace("\r", "").replace("\n", ""))
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        with contextlib.suppress(OSError):
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
