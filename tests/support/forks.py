"""`stagectl` in processes that have imported its dependencies already: a third of the time of a fresh one.

This file, run as a program, imports them and forks for each command. It knows nothing of stagectl itself, which each
fork imports from the checkout that it works in. What depends on how Python starts needs a fresh process.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

_HEAVY = (
    "boto3", "botocore.auth", "botocore.regions", "botocore.retries.standard", "chalice.config", "click", "requests",
    "rich.console", "rich.live", "rich.status", "stripe",
)  # fmt: skip
_SERVICES = ("apigateway", "cloudformation", "iam", "lambda", "logs", "sns", "sqs", "ssm", "sts")
_LONGEST = 100.0  # seconds


class Forks:
    """The program that forks, as long as this process lives."""

    def __init__(self) -> None:
        """It is not started before it is needed."""
        self._control: socket.socket | None = None

    def run(self, arguments: list[str], cwd: Path, env: dict[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
        """Run `stagectl` with its streams in files, and wait for its end."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                message = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": env}).encode()
                streams = [theirs.fileno(), given.fileno(), out.fileno(), err.fileno()]
                with tempfile.TemporaryFile() as request:
                    request.write(message)
                    request.seek(0)
                    socket.send_fds(self._started(), [b"run"], [*streams, request.fileno()])
                theirs.close()
                ours.settimeout(_LONGEST)
                code = int(ours.recv(16))
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read().decode(), err.read().decode())

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
                start_new_session=True,  # without a terminal, whatever pytest has
            )
            theirs.close()
            atexit.register(process.wait)  # runs after the next, which ends it
            atexit.register(self._control.close)
        return self._control


def _serve(control: socket.socket) -> None:
    for name in _HEAVY:
        importlib.import_module(name)
    _read_the_models_of_aws()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 5)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _watch(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _read_the_models_of_aws() -> None:
    """Have botocore read each of its large JSON files once, and not in every fork."""
    import boto3
    from botocore.loaders import JSONFileLoader

    read, kept = JSONFileLoader.load_file, {}

    def load_file(self: JSONFileLoader, path: str) -> object:
        if path not in kept:
            kept[path] = read(self, path)
        return kept[path]

    JSONFileLoader.load_file = load_file
    for service in _SERVICES:
        boto3.session.Session("a", "b", region_name="us-east-1").client(service)
    gc.freeze()


def _watch(reply: int, stdin: int, stdout: int, stderr: int, request: int) -> None:
    child = os.fork()
    if child == 0:
        os.close(reply)
        for number, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, number)
        with open(request) as file:
            _become_stagectl(**json.load(file))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(reply, str(code).encode())
    os._exit(0)


def _become_stagectl(arguments: list[str], cwd: str, env: dict[str, str]) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for name in [name for name in sys.modules if name.partition(".")[0] == "chalicelib"]:
        del sys.modules[name]  # tests/__init__.py imported this checkout's, but stagectl works on another one
    sys.argv, sys.path[0] = ["stagectl", *arguments], cwd
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(open(number, "wb", closefd=False), "utf-8", errors, write_through=True)  # noqa: SIM115
        for number, errors in ((1, "strict"), (2, "backslashreplace"))
    )
    code = 1
    with contextlib.suppress(BaseException):
        try:
            runpy.run_module("stagectl", run_name="__main__", alter_sys=True)
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
