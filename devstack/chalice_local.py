"""`chalice local` for concurrent callers: `python -m devstack.chalice_local --stage dev --port 8000`.

Python's HTTP server queues five connections and resets the others, so that some of 20 simultaneous purchases would fail
before they reach the app. It also sends headers and body separately, which can delay a response by 40 ms (Nagle's
algorithm and delayed acknowledgements).

With `--listener 5` it accepts the connections of the socket with that file descriptor. The runner listens on it and
passes it to the next process too, so that no request is lost when one process replaces another:

- A process that finishes accepts no more connections, and leaves them in the socket's queue.
- It responds to every request on the connections that it has accepted, then ends.
- Every response closes its connection. Otherwise a request could arrive on an idle one while the process ends.
"""

import argparse
import contextlib
import sys
import threading
import time
from functools import partial
from socket import SHUT_RD
from socket import socket as Socket
from typing import Any

from chalice import local
from chalice.cli import main

import chalicelib.config
from devstack.child_process import Parent
from devstack.source_files import keep_source_lines
from stagectl import project_check

_IDLE_TIMEOUT = 1.0  # seconds until a request must have arrived; browsers open connections that they may never use


class Handler(local.ChaliceRequestHandler):
    """Responds to the requests of a connection."""

    disable_nagle_algorithm = True
    server: "Server"

    def parse_request(self) -> bool:
        """Read the request's headers. Its first line has arrived."""
        self.server.request_arrived(self.connection)
        return bool(super().parse_request())

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin a response. It closes the connection if another process may replace this one."""
        super().send_response(code, message)
        if self.server.is_replaceable:
            self.send_header("Connection", "close")


class Server(local.ThreadedHTTPServer):
    """A server that can finish."""

    request_queue_size = 128
    socket: Socket

    def __init__(self, parent: Parent, listener: int | None, address: tuple[str, int], handler: Any) -> None:
        """Listen on an address, or on the socket with the file descriptor ``listener``."""
        self._parent, self._listener = parent, listener
        self.is_replaceable = listener is not None
        self._is_finishing = False
        # The open connections, with the time until which a request must arrive; None once it has.
        self._connections: dict[Socket, float | None] = {}
        self._changed = threading.Condition()
        super().__init__(address, handler)
        parent.on_finish = self.finish

    def server_bind(self) -> None:
        """Bind the address, or take the parent's socket instead."""
        if self._listener is None:
            super().server_bind()
            return
        self.socket.close()
        self.socket = Socket(fileno=self._listener)
        self.socket.set_inheritable(False)
        self.socket.setblocking(False)  # another process may accept a connection first
        self.server_address = self.socket.getsockname()

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until :meth:`finish` is called and every request has its response."""
        keep_source_lines()
        self._parent.report_ready()
        super().serve_forever(poll_interval)
        with self._changed:
            while self._connections:
                self._close_idle()
                self._changed.wait(0.1)

    def finish(self) -> None:
        """Accept no more connections."""
        with self._changed:
            self._is_finishing = True
        self._parent.report_finishing()
        self.shutdown()

    def get_request(self) -> tuple[Socket, Any]:
        """Accept a connection."""
        with self._changed:
            if self._is_finishing:
                raise BlockingIOError
            connection, address = self.socket.accept()
            self._connections[connection] = time.monotonic() + _IDLE_TIMEOUT
        connection.setblocking(True)
        return connection, address

    def request_arrived(self, connection: Socket) -> None:
        """Keep a connection until its request has a response."""
        with self._changed:
            self._connections[connection] = None

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.pop(request, None)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print a traceback, unless the client closed the connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def _close_idle(self) -> None:
        for connection, deadline in self._connections.items():
            if deadline and time.monotonic() > deadline:
                with contextlib.suppress(OSError):
                    connection.shutdown(SHUT_RD)


if __name__ == "__main__":
    parent = Parent()
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--listener", type=int)
    arguments, of_chalice = own.parse_known_args()
    # Chalice reads the file before app.py checks it, with messages of its own.
    if problem := project_check.find_problem(chalicelib.config):
        sys.exit(f"notes-billing: {problem}")
    server = partial(Server, parent, arguments.listener)
    dev_server = partial(local.LocalDevServer, handler_cls=Handler, server_cls=server)
    local.LocalDevServer = dev_server  # type: ignore[assignment,misc]
    sys.argv[1:] = ["local", "--no-autoreload", *of_chalice]
    sys.exit(main())
