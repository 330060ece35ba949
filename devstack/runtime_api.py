"""Lambda's Runtime API on loopback, and containers that run a function with AWS's own runtime client.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. One API serves one container, as in Lambda. ::

    with LambdaContainer(folder, "app.app", environment) as container:
        response = container.invoke(event)
"""

import importlib.util
import json
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from devstack.loopback_server import LoopbackServer

_RUNTIME = "/2018-06-01/runtime"
_ARN = "arn:aws:lambda:us-east-1:123456789012:function:notes-billing"
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


class RuntimeApiError(Exception):
    """The function returned no response. ``report`` is the runtime client's error report, which the caller gets."""

    def __init__(self, message: str, report: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.report = dict(report or {})


class InitError(RuntimeApiError):
    """The function could not be imported."""


class FunctionError(RuntimeApiError):
    """The function raised."""


class NoResponseError(RuntimeApiError):
    """The function timed out, or its container ended."""


class RuntimeApi(LoopbackServer):
    """The Runtime API of one container, which gets one event at a time."""

    def __init__(self, timeout: float, arn: str) -> None:
        """Bind a free port on loopback. For the arguments see :class:`LambdaContainer`."""
        self._arn = arn
        self._timeout = timeout
        self._events: queue.Queue[tuple[str, Mapping[str, Any], float] | None] = queue.Queue()
        self._results: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._one_at_a_time = threading.Lock()
        self.initialized = threading.Event()
        self.initialized_at = 0.0
        super().__init__(Request.application(self._respond), 0)

    def stop(self) -> None:
        """Free the port, and end a request that waits for an event."""
        self._events.put(None)
        super().stop()

    def container_ended(self, message: str) -> None:
        """End a running :meth:`invoke` with a :class:`NoResponseError`."""
        self._results.put(("", NoResponseError(message)))

    def invoke(self, event: Mapping[str, Any], timeout: float | None = None, request_id: str = "") -> Any:
        """Have the container handle an event, after the events that already wait, and return the function's result.

        :param event: the function's event.
        :param timeout: seconds to wait, including the container's start if it has not started yet. Default: the
            function's time limit and 10 more.
        :param request_id: the invocation's id; a new one by default.
        :raises InitError: the function could not be imported.
        :raises FunctionError: it raised.
        :raises NoResponseError: it timed out, or its container ended.
        """
        deadline = time.monotonic() + (self._timeout + 10 if timeout is None else timeout)
        request_id = request_id or str(uuid.uuid4())
        with self._one_at_a_time:
            self._events.put((request_id, event, time.time() + self._timeout))
            result_id = None
            while result_id not in (request_id, ""):  # skips the late result of an invocation that timed out
                try:
                    result_id, result = self._results.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    raise NoResponseError("the container did not respond in time") from None
        if isinstance(result, RuntimeApiError):
            raise result
        return result

    def _respond(self, request: Request) -> Response:
        path = request.path.removeprefix(_RUNTIME)
        if path == "/invocation/next":
            return self._next_event()
        invocation = re.fullmatch("/invocation/([^/]*)/(response|error)", path)
        if path == "/init/error":
            self._results.put(("", _reported(InitError, request.data)))
        elif invocation and invocation[2] == "error":
            self._results.put((invocation[1], _reported(FunctionError, request.data)))
        elif invocation:
            self._results.put((invocation[1], json.loads(request.data)))
        else:
            return Response(status=404)
        return Response('{"status":"OK"}', 202, content_type="application/json")

    def _next_event(self) -> Response:
        """Wait for an event."""
        if not self.initialized.is_set():
            self.initialized_at = time.monotonic()
            self.initialized.set()
        waiting = self._events.get()
        if waiting is None:
            return Response(status=410)  # stopped
        request_id, event, deadline = waiting
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._arn,
            "Lambda-Runtime-Trace-Id": trace,
        }
        return Response(json.dumps(event), 200, headers, content_type="application/json")


class LambdaContainer:
    """A function in a process of its own, run by AWS's runtime client as Lambda runs it."""

    def __init__(
        self,
        folder: Path,
        handler: str,
        environment: Mapping[str, str],
        *,
        isolated: bool = False,
        timeout: float = 28.0,
        arn: str = _ARN,
    ) -> None:
        """Create the Runtime API. Entering the context starts the process.

        :param folder: the deployed code: the source tree, or the package's content.
        :param handler: module and function, such as ``app.app``.
        :param environment: the process's environment; Lambda's own variables are added.
        :param isolated: import nothing but the folder's content and the standard library, so that a dependency which is
            missing in a package fails the import.
        :param timeout: the function's time limit in seconds.
        :param arn: the function's ARN. The function finds both in its context.
        """
        self._folder, self._handler, self._isolated, self._arn = folder, handler, isolated, arn
        self._environment = dict(environment)
        self.api = RuntimeApi(timeout, arn)
        self.invoke = self.api.invoke

    def __enter__(self) -> "LambdaContainer":
        self._client = tempfile.TemporaryDirectory(prefix="runtime-client-")
        self._output = tempfile.TemporaryFile()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - this Python
            [sys.executable, *(["-S"] if self._isolated else []), "-m", "awslambdaric", self._handler],
            cwd=self._folder,
            env={**self._environment, **self._variables()},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        self.api.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.api.stop()
        self._output.close()
        self._client.cleanup()

    def output(self) -> str:
        """Return the process's output so far, which is the function's log."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def _variables(self) -> dict[str, str]:
        """Return the used ones of https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
        variables = {
            "AWS_LAMBDA_RUNTIME_API": self.api.url.removeprefix("http://"),
            "AWS_LAMBDA_FUNCTION_NAME": self._arn.rpartition(":")[2],
            "LAMBDA_TASK_ROOT": str(self._folder),
            "_HANDLER": self._handler,
            "PYTHONDONTWRITEBYTECODE": "1",  # deployed code is read-only
        }
        if self._isolated:
            _link_client(Path(self._client.name))
            variables["PYTHONPATH"] = self._client.name
        return variables


def _link_client(folder: Path) -> None:
    """Link the runtime client and its dependencies into a folder."""
    for name in _CLIENT:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue  # runtime_client exists on Linux only
        origin = Path(spec.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (folder / origin.name).symlink_to(origin)


def _reported(kind: type[RuntimeApiError], body: bytes) -> RuntimeApiError:
    report = json.loads(body)
    return kind(f"{report.get('errorType')}: {report.get('errorMessage')}", report)
