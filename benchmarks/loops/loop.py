"""Lambda's part of a Python rival: imports the function, then answers an event a line. ``loop.cjs`` is the same in Node.

Pipes stand for the Runtime API, so that no language pays for another's HTTP client. ::

    python loop.py FOLDER app.app 3 < events 3> answers
"""

import importlib
import json
import os
import sys
import time


class Context:
    """What Lambda tells a function of an invocation, as far as the rivals look."""

    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    function_name = "billing"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:billing"
    log_group_name = "/aws/lambda/billing"
    log_stream_name = "1"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left."""
        return 28_000


def main() -> None:
    """Answer events until there are no more."""
    sys.path[0] = sys.argv[1]
    module, _, name = sys.argv[2].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    context, answers = Context(), int(sys.argv[3])
    for line in sys.stdin.buffer:
        used = {"cpu": time.process_time()} if line == b"usage\n" else None
        answer = used or function(json.loads(line), context)
        os.write(answers, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
