"""AWS on loopback: moto's server, with a record of the calls it got and a switch for faults."""

import io
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from devstack.token_bucket import TokenBucket

_FORM = "application/x-www-form-urlencoded"

# These share one limit (https://docs.aws.amazon.com/general/latest/gr/ssm.html).
_PARAMETER_READS = {"GetParameter", "GetParameters", "GetParametersByPath"}

# The emulated account's credentials are accepted by moto alone; the files are those of a laptop's own accounts.
_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "devstack",
    "AWS_SECRET_ACCESS_KEY": "devstack",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def leave_own_accounts() -> None:
    """Keep this process and its children away from a laptop's own AWS accounts and proxies.

    AWS clients, moto's own too, ignore what is set for those accounts, and loopback is reached directly.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(_ACCOUNT)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"]))


@dataclass(frozen=True)
class AwsFault:
    """What the next ``count`` calls of ``operation`` (such as GetParameter) meet instead of an answer.

    ``count``: None for all calls until the fault is taken away.
    ``delay``: seconds before anything else. ``delay_after``: seconds between the call's effect and its answer.
    ``error``: an AWS error code, answered with ``status``.
    ``body``: answered as it is, with ``status``. ``cut``: the connection is closed without an answer.
    """

    operation: str
    count: int | None = 1
    delay: float = 0.0
    delay_after: float = 0.0
    error: str = ""
    status: int = 400
    body: bytes | None = None
    cut: bool = False


class AwsServer:
    """moto's server in a thread. Its state is the process's: one account, shared by all servers of a process."""

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        on_publish: Callable[[dict[str, str]], None] = lambda _publish: None,
    ) -> None:
        """Bind the port. Call :func:`leave_own_accounts` first.

        :param port: 0 for any free one.
        :param on_publish: gets the parameters of each SNS Publish, such as Message and TopicArn or PhoneNumber.
        :raises OSError: the port is taken.
        """
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.calls: list[str] = []
        self._reads: TokenBucket | None = None
        self._on_publish = on_publish
        self._faults: list[tuple[int | None, AwsFault]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._moto = DomainDispatcherApplication(create_backend_app)
        # Bound here, since werkzeug ends the whole process when a port is taken.
        listener = socket.create_server((host, port), backlog=128)
        self.url = f"http://{host}:{listener.getsockname()[1]}"
        self._server = make_server(
            host, port, self._application, threaded=True, request_handler=_Handler, fd=listener.detach()
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="aws", daemon=True)

    def start(self) -> "AwsServer":
        """Serve in the background."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def client(self, service: str, config: Config | None = None) -> Any:
        """Return boto3's client of a service of this AWS."""
        return boto3.client(service, endpoint_url=self.url, config=Config(proxies={}).merge(config or Config()))

    def put_secret(self, name: str, value: str) -> None:
        """Store a SecureString, replacing what is there."""
        self.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def environment(self) -> dict[str, str]:
        """Return this process's environment, changed so that AWS clients find this AWS."""
        return {**os.environ, "AWS_ENDPOINT_URL": self.url}

    def fail(self, fault: AwsFault) -> None:
        """Add a fault, behind those that are there."""
        with self._lock:
            self._faults.append((fault.count, fault))

    def mend(self, fault: AwsFault) -> None:
        """Take back a fault that :meth:`fail` added, if calls would still meet it."""
        with self._lock:
            self._faults = [entry for entry in self._faults if entry[1] is not fault]

    def awaits(self, fault: AwsFault) -> bool:
        """Tell whether calls would still meet a fault that :meth:`fail` added."""
        with self._lock:
            return any(waiting is fault for _, waiting in self._faults)

    def limit_reads(self, per_second: float | None) -> None:
        """Let Parameter Store give so many parameters a second, and throttle the rest; None for no limit."""
        self._reads = TokenBucket(per_second) if per_second else None

    def heal(self) -> None:
        """Take all faults away, and the limit."""
        self.limit_reads(None)
        with self._lock:
            self._faults.clear()

    def _next_fault(self, operation: str) -> AwsFault | None:
        with self._lock:
            self.calls.append(operation)
            for index, (count, fault) in enumerate(self._faults):
                if fault.operation == operation:
                    if count is not None:
                        self._faults[index : index + 1] = [(count - 1, fault)] if count > 1 else []
                    return fault
        return None

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = dict(parse_qsl(body.decode())) if environ.get("CONTENT_TYPE", "").startswith(_FORM) else {}
        operation = form.get("Action") or str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        fault = self._next_fault(operation)
        stopped = self._stopped.wait(fault.delay) if fault else False  # a call that is held ends with the server
        if stopped or (fault and fault.cut):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        if fault and (fault.error or fault.body is not None):
            start_response(f"{fault.status} Fault", [("Content-Type", "application/x-amz-json-1.1")])
            return [_error(fault, form)]
        if operation in _PARAMETER_READS and self._reads and not self._reads.take():
            start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
            return [b'{"__type":"ThrottlingException","message":"Rate exceeded"}']
        statuses: list[str] = []

        def start(status: str, *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, *rest)

        answer: Iterable[bytes] = self._moto({**environ, "wsgi.input": io.BytesIO(body)}, start)
        if operation == "Publish" and statuses[-1:] == ["200 OK"]:
            self._on_publish(form)
        self._stopped.wait(fault.delay_after if fault else 0)
        return answer


def _error(fault: AwsFault, form: dict[str, str]) -> bytes:
    if fault.body is not None:
        return fault.body
    if form:  # the query protocol, SNS's, answers in XML
        code = f"<Error><Type>Sender</Type><Code>{fault.error}</Code><Message>made to fail</Message></Error>"
        return f"<ErrorResponse>{code}<RequestId>1</RequestId></ErrorResponse>".encode()
    return b'{"__type":"%s","message":"made to fail"}' % fault.error.encode()


class _Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing: what matters here is shown as events."""
