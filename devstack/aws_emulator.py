"""AWS on loopback: moto's server, which also records calls, injects faults and throttles."""

import io
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Request, Response

from devstack.loopback_server import LoopbackServer
from devstack.token_bucket import TokenBucket

# These share one limit (https://docs.aws.amazon.com/general/latest/gr/ssm.html).
_PARAMETER_READS = {"GetParameter", "GetParameters", "GetParametersByPath"}

# Only moto accepts these credentials. The files would hold those of a laptop's own accounts.
_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "devstack",
    "AWS_SECRET_ACCESS_KEY": "devstack",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def leave_own_accounts() -> None:
    """Keep this process and its children away from a laptop's own AWS accounts and proxies.

    All AWS clients, including moto's, then ignore the laptop's settings and reach loopback directly.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(_ACCOUNT)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"]))


@dataclass(frozen=True)
class AwsFault:
    """A fault that the next ``count`` calls of ``operation`` (such as GetParameter) meet.

    ``count``: None for all calls until the fault is removed.
    ``delay``: seconds before the call is processed. ``delay_after``: seconds between its effect and its response.
    ``error``: an AWS error code, returned with ``message`` and ``status`` instead of the call's effect.
    ``body``: returned as it is, with ``status``. ``cut``: the connection is closed without a response.
    """

    operation: str
    count: int | None = 1
    delay: float = 0.0
    delay_after: float = 0.0
    error: str = ""
    message: str = "Injected fault"
    status: int = 400
    body: bytes | None = None
    cut: bool = False


class AwsServer(LoopbackServer):
    """moto's server in a thread. Its state belongs to the process: all servers of a process share one account."""

    def __init__(self, port: int = 0, on_publish: Callable[[dict[str, str]], None] = lambda _publish: None) -> None:
        """Bind the port, as :class:`LoopbackServer` does. Call :func:`leave_own_accounts` first.

        :param on_publish: gets the parameters of each SNS Publish, such as Message and TopicArn or PhoneNumber.
        """
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.calls: list[str] = []
        self._clients: dict[str, Any] = {}
        self._reads: TokenBucket | None = None
        self._on_publish = on_publish
        self._faults: list[tuple[int | None, AwsFault]] = []
        self._lock = threading.Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        super().__init__(Request.application(self._respond), port)

    def client(self, service: str, config: Config | None = None) -> Any:
        """Return boto3's client of a service of this AWS. Callers without a ``config`` share it."""
        if config is None and service in self._clients:
            return self._clients[service]
        made = boto3.client(service, endpoint_url=self.url, config=Config(proxies={}).merge(config or Config()))
        if config is None:
            self._clients[service] = made
        return made

    def put_secret(self, name: str, value: str) -> None:
        """Store a SecureString. Replaces the stored value."""
        self.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def environment(self) -> dict[str, str]:
        """Return this process's environment with the address of this AWS."""
        return {**os.environ, "AWS_ENDPOINT_URL": self.url}

    def fail(self, fault: AwsFault) -> None:
        """Add a fault. Calls meet faults in the order in which they were added."""
        with self._lock:
            self._faults.append((fault.count, fault))

    def remove_fault(self, fault: AwsFault) -> None:
        """Remove a fault if it is active."""
        with self._lock:
            self._faults = [entry for entry in self._faults if entry[1] is not fault]

    def has_fault(self, fault: AwsFault) -> bool:
        """Return whether a fault is active: added, not removed, and not met ``count`` times yet."""
        with self._lock:
            return any(active is fault for _, active in self._faults)

    def limit_reads(self, per_second: float | None) -> None:
        """Throttle Parameter Store's reads above a rate in parameters per second; None for no limit."""
        self._reads = TokenBucket(per_second) if per_second else None

    def clear_faults(self) -> None:
        """Remove all faults and the limit."""
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

    def _respond(self, request: Request) -> Response:
        body = request.get_data()
        operation = request.form.get("Action") or request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        fault = self._next_fault(operation) or AwsFault(operation)
        if self.stopping.wait(fault.delay) or fault.cut:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return Response()
        is_failure = bool(fault.error) or fault.body is not None
        if not is_failure and operation in _PARAMETER_READS and self._reads and not self._reads.take():
            is_failure, fault = True, AwsFault(operation, error="ThrottlingException", message="Rate exceeded")
        if is_failure:
            content = _error_body(fault, bool(request.form))
            return Response(content, fault.status, content_type="application/x-amz-json-1.1")
        response = Response.from_app(self._moto, {**request.environ, "wsgi.input": io.BytesIO(body)})
        if operation == "Publish" and response.status_code == 200:
            self._on_publish(request.form.to_dict())
        self.stopping.wait(fault.delay_after)
        return response


def _error_body(fault: AwsFault, is_query: bool) -> bytes:
    if fault.body is not None:
        return fault.body
    if is_query:  # SNS uses the query protocol, whose responses are XML
        code = f"<Error><Type>Sender</Type><Code>{fault.error}</Code><Message>{fault.message}</Message></Error>"
        return f"<ErrorResponse>{code}<RequestId>1</RequestId></ErrorResponse>".encode()
    return json.dumps({"__type": fault.error, "message": fault.message}).encode()
