"""Stands for Lambda's runtime in Python: imports the function, then handles one event per line. Node has ``loop.cjs``.

Pipes replace the Runtime API, so that the runtime's HTTP client is not part of the comparison. ::

    python loop.py FOLDER app.app 3 < events 3> responses
"""

import importlib
import json
import os
import sys
import time


class Context:
    """Lambda's context, as far as the measured functions use it."""

    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    function_name = "billing"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:billing"


def main() -> None:
    """Handle events until standard input ends."""
    sys.path[0] = sys.argv[1]
    module, _, name = sys.argv[2].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    context, responses = Context(), int(sys.argv[3])
    for line in sys.stdin.buffer:
        usage = {"cpu": time.process_time()} if line == b"usage\n" else None
        response = usage or function(json.loads(line), context)
        os.write(responses, json.dumps(response).encode() + b"\n")


if __name__ == "__main__":
    main()
