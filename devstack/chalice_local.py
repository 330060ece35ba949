"""`chalice local` for concurrent callers: `python -m devstack.chalice_local --stage dev --port 8000`.

`--allow-origin URL`, which may be repeated: pages of this origin may call the API too.

Python's HTTP server queues five connections and resets the others, so that some of 20 simultaneous purchases would fail
before they reach the app. It also sends headers and body separately, which delays each response on a kept-alive
connection by 40 ms (Nagle's algorithm and delayed acknowledgements).
"""

import argparse
import socketserver
import sys
from typing import Any

from chalice.cli import main
from chalice.local import ChaliceRequestHandler

from devstack.chalice_guard import guard
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
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--allow-origin", action="append", default=[])
    arguments, of_chalice = own.parse_known_args()
    guard(ChaliceRequestHandler, arguments.allow_origin)
    sys.argv[1:] = ["local", "--no-autoreload", *of_chalice]
    sys.exit(main())
