"""`chalice local`, fit for more than one caller: `python -m devstack.local --stage dev --port 8000`.

Python's HTTP server lets five connections wait to be accepted and has the rest reset, so that 20 purchases at the same
moment would fail before they reach the app. It also sends headers and body apart, which costs a caller that keeps its
connection 40 ms a request (Nagle's algorithm against delayed acknowledgements).
"""

import socketserver
import sys

from chalice.cli import main

from devstack.child import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    socketserver.TCPServer.request_queue_size = 128
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    sys.argv[1:1] = ["local", "--no-autoreload"]
    sys.exit(main())
