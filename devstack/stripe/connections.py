"""HTTP connections: accepted, kept alive, cut when a fault requires it, and closed at the end."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devstack.stripe.messages import Request, Response, encode

_LARGEST_BODY = 1 << 20  # bytes
_JOIN_TIMEOUT = 5.0  # seconds


class Listener(ThreadingHTTPServer):
    """Accepts connections, one thread per connection."""

    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], respond: Callable[[Request], Response | None], stopping: threading.Event
    ) -> None:
        """Bind the address; OSError if the port is taken.

        :param respond: receives each request; None cuts the connection.
        :param stopping: once set, new connections are cut.
        """
        self.respond = respond
        self.stopping = stopping
        self.accepted = 0
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, _Handler)

    @contextlib.contextmanager
    def registered(self, connection: socket.socket) -> Iterator[None]:
        """Register a connection while it is open."""
        with self._lock:
            self._open[connection] = threading.current_thread()
            self.accepted += 1
            if self.stopping.is_set():
                _cut(connection)
        try:
            yield
        finally:
            with self._lock:
                del self._open[connection]

    def close_connections(self) -> None:
        """Cut every connection, and wait until its thread has ended."""
        with self._lock:
            threads = list(self._open.values())
            for connection in self._open:
                _cut(connection)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_TIMEOUT)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: the client has disconnected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stripe-emulator"
    sys_version = ""
    # Write each response at once: Nagle's algorithm and delayed ACKs would delay a kept-alive client.
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Listener

    def handle(self) -> None:
        with self.server.registered(self.connection):
            super().handle()

    def do_GET(self) -> None:
        body = self._body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.server.respond(Request(self.command, path, query, body, headers))
        if response is None:
            self.close_connection = True
            _cut(self.connection)
        else:
            self._write(response)

    do_POST = do_DELETE = do_PUT = do_PATCH = do_OPTIONS = do_GET

    def _body(self) -> bytes | None:
        """Read the body. Return None if it is rejected, which ends the request, or if the client has disconnected."""
        length = self.headers.get("Content-Length", "0")
        too_long = not length.isascii() or not length.isdigit() or int(length) > _LARGEST_BODY
        if too_long or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            message = f"A body needs a Content-Length of at most {_LARGEST_BODY} bytes."
            self._write(Response(413, encode({"error": {"message": message, "type": "invalid_request_error"}})))
            return None
        body = self.rfile.read(int(length))
        # A client that disconnects before the end of its body has sent no request.
        return body if len(body) == int(length) else None

    def _write(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in {"Content-Type": "application/json", **response.headers}.items():
            # A value from the client's request must not add headers to the response.
            self.send_header(name, value.replace("\r", "").replace("\n", ""))
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)
        with contextlib.suppress(OSError):
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
