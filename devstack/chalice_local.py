"""`chalice local` for concurrent callers: `python -m devstack.chalice_local --stage dev --port 8000`.

Python's HTTP server queues five connections and resets the others, so that some of 20 simultaneous purchases would fail
before they reach the app. It also sends headers and body separately, which delays each response on a kept-alive
connection by 40 ms (Nagle's algorithm and delayed acknowledgements).
"""

import socketserver
import sys
from typing import Any

from chalice.cli import main

from devstack.child_process import end_with_parent

_handle_error = socketserver.BaseServer.handle_error


def handle_error(server: socketserver.BaseServer, request: Any, client_address: Any) -> None:
    """Print a traceback, unless the client closed the connection."""
    if not isinstance(sys.exc_info()[1], ConnectionError):
        _handle_error(server, request, client_address)


if __name__ == "__main__":
    end_with_parent()
    socketserver.TCPServer.request_queue_size = 128
    socketserver.BaseServer.handle_error = handle_error  # type: ignore[assignment,method-assign]
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    sys.argv[1:1] = ["local", "--no-autoreload"]
    sys.exit(main())
