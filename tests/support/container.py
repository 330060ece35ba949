"""A Lambda container for the tests: imports app.py, then handles the events on standard input, one per line.

With ``"fork": true`` the event is handled in a fork, which is killed after ``kill_after`` seconds.
"""

import json
import os
import select
import signal
import sys
import uuid
from types import SimpleNamespace
from typing import Any


def handle(event: dict[str, Any]) -> Any:
    from app import app

    return app(event, SimpleNamespace(aws_request_id=str(uuid.uuid4())))


def handle_in_fork(event: dict[str, Any], kill_after: float | None) -> Any:
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        with os.fdopen(send, "w") as pipe:
            json.dump(handle(event), pipe)
        os._exit(0)
    os.close(send)
    select.select([receive], [], [], kill_after)
    if kill_after is not None:
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(receive) as pipe:
        output = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(output) if output else None


def main() -> None:
    responses = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the app prints goes where Lambda's log would be
    import app  # noqa: F401 - as Lambda does at a cold start

    print(json.dumps({"initialized": True}), file=responses)
    for line in sys.stdin:
        command = json.loads(line)
        if command.get("fork"):
            response = handle_in_fork(command["event"], command["kill_after"])
        else:
            response = handle(command["event"])
        print(json.dumps({"response": response}), file=responses)


if __name__ == "__main__":
    main()
