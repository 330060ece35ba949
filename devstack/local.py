"""`chalice local` with room for more than five callers at once: `python -m devstack.local --stage dev --port 8000`.

Python's HTTP server lets five connections wait to be accepted and has the rest reset, so that 20 purchases at the same
moment would fail before they reach the app.
"""

import socketserver
import sys

from chalice.cli import main

if __name__ == "__main__":
    socketserver.TCPServer.request_queue_size = 128
    sys.argv[1:1] = ["local", "--no-autoreload"]
    sys.exit(main())
