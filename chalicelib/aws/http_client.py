"""An HTTP/1.1 client of one origin, with persistent connections and a time limit on each exchange.

It retries nothing: only the caller knows whether a retry is safe, and what an interrupted exchange may have done.
"""

import contextlib
import io
import math
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import cast
from urllib.parse import urlsplit

from .credentials import Network

# Bytes. Stripe's and AWS's responses have some kilobytes, and a container's memory must not fill up.
_MAX_BODY = 4 * 1024 * 1024

# Seconds after which an idle connection is not reused: AWS's NAT gateways drop one silently after 350. In wall-clock
# time, since the monotonic clock may stand still while Lambda freezes the sandbox.
_MAX_IDLE = 300.0


class HttpError(Exception):
    """There is no response. The request may have had its effect."""


class ConnectError(HttpError):
    """No connection was made, so nothing was sent."""


class CertificateError(ConnectError):
    """The server can't be verified: a retry fails too."""


class UntrustedCertificateError(CertificateError):
    """The CA certificates do not verify the server's certificate."""


class CaFileError(CertificateError):
    """The file with the CA certificates can't be read. The message names it."""


class ReadTimeout(HttpError):
    """The request was sent, and the response was not complete in time."""


class StaleConnectionError(HttpError):
    """The server closed an idle connection. The same request may succeed on a new one."""


class Response:
    """A response of any status. The names of ``headers`` are case-insensitive."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class HttpClient:
    """Calls one origin. Safe to use from many threads: no two use a connection at the same time.

    :param origin: ``https://host`` or ``https://host:port``; ``http://`` for loopback only.
    :param ca_file: the CA certificates to use if the environment names none; None for the system's.
    :param connect_timeout: seconds for opening a connection: name resolution, proxy, TCP and TLS together.
    :param response_timeout: seconds from sending a request to the last byte of its response.
    :raises ValueError: the origin is invalid, or requests would cross a network in clear text.
    """

    def __init__(
        self,
        origin: str,
        network: Network,
        *,
        ca_file: str | None = None,
        connect_timeout: float = 2.0,
        response_timeout: float = 8.0,
    ) -> None:
        self.origin = origin
        parts = urlsplit(origin)
        self._host, self._authority, self._tls = parts.hostname or "", parts.netloc, parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._is_local = self._host in ("127.0.0.1", "localhost", "::1")
        if not self._host or not (self._tls or (parts.scheme == "http" and self._is_local)):
            raise ValueError(f"{origin!r} is neither an https:// address nor an http:// address of this machine")
        self._network, self._ca_file = network, network.ca_file or ca_file
        self._connect_timeout, self._response_timeout = connect_timeout, response_timeout
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: list[tuple[HTTPConnection, float]] = []
        self._early: _Opening | None = None
        self._process = os.getpid()

    def open(self) -> None:
        """Start to open a connection in the background, for the first exchange."""
        with contextlib.suppress(ConnectError):  # the first exchange tries again
            self._early = self._start_opening(math.inf)

    def wait(self) -> None:
        """Wait until the connection that :meth:`open` started is open, or has failed to open."""
        early, self._early = self._early, None
        if early is not None:
            with contextlib.suppress(HttpError):
                self._release(early.result())

    def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        deadline: float = math.inf,
    ) -> Response:
        """Send a request and return its response. Redirects are not followed.

        :param target: path and query.
        :param deadline: the monotonic time to end by, if before the timeouts.
        :raises HttpError: there is no response; its subclasses tell why.
        """
        idle = self._take_idle()
        connection = idle or self._start_opening(deadline).result()
        started = time.monotonic()
        if started >= deadline:
            self._release(connection)
            raise ConnectError("the deadline passed before the request was sent")
        deadline = min(started + self._response_timeout, deadline)
        try:
            connection.sock.settimeout(_remaining(deadline))
            connection.sock.sendall(self._encode(method, target, headers, body))
            response, is_last = _receive(connection.sock, method, deadline)
        except TimeoutError as error:
            connection.close()
            raise ReadTimeout(f"no complete response within {deadline - started:.3g} s") from error
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            kind = StaleConnectionError if idle and isinstance(error, (ConnectionError, ssl.SSLError)) else HttpError
            raise kind(f"{type(error).__name__}: {error}") from error
        if is_last:
            connection.close()
        else:
            self._release(connection)
        return response

    def _encode(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """Return a request in one piece; http.client would send head and body separately."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._authority}", "Accept-Encoding: identity"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [] if body is None else [f"Content-Length: {len(body)}"]
        if any(not line.isprintable() for line in lines) or " " in target:
            raise ValueError("a header or the target has invalid characters")  # not quoted: it may be a secret
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")

    def _take_idle(self) -> HTTPConnection | None:
        """Return the idle connection that was used last and is still open, or None."""
        while True:
            with self._lock:
                if self._process != os.getpid():  # after a fork, two processes would mix up their responses
                    self._process, self._idle = os.getpid(), []
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.time() - since < _MAX_IDLE and _is_open(connection.sock):
                return connection
            connection.close()

    def _release(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._idle.append((connection, time.time()))

    def _start_opening(self, deadline: float) -> "_Opening":
        connection = self._new_connection()  # first: a slow machine takes a while to load the CA certificates
        timeout = min(self._connect_timeout, deadline - time.monotonic())
        if timeout <= 0:
            raise ConnectError("the deadline passed before a connection was opened")
        return _Opening(connection, timeout)

    def _new_connection(self) -> HTTPConnection:
        if not self._tls:
            return HTTPConnection(self._host, self._port, timeout=self._connect_timeout)
        with self._lock:
            if self._context is None:
                try:
                    self._context = ssl.create_default_context(cafile=self._ca_file)
                except OSError as error:
                    raise CaFileError(f"the CA certificates in {self._ca_file} can't be read: {error}") from error
                self._context.set_alpn_protocols(["http/1.1"])
        connection = HTTPSConnection(self._host, self._port, timeout=self._connect_timeout, context=self._context)
        if self._network.proxy and not self._is_local:
            from .proxy import use_proxy  # here, since Lambda has no proxy

            try:
                use_proxy(connection, self._network)
            except ValueError as error:
                raise ConnectError(str(error)) from error
        return connection


class _Opening:
    """A connection being opened in a thread: a socket's timeout does not apply to name resolution."""

    def __init__(self, connection: HTTPConnection, timeout: float) -> None:
        self._connection, self._timeout = connection, timeout
        self._deadline = time.monotonic() + timeout
        self._lock = threading.Lock()
        self._is_open = self._is_abandoned = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="connect", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads
            raise ConnectError(str(error)) from error

    def _run(self) -> None:
        try:
            self._connection.connect()
        except Exception as error:  # noqa: BLE001 - result() raises it
            self._error = error
            return
        with self._lock:
            self._is_open = True
            if self._is_abandoned:
                self._connection.close()

    def result(self) -> HTTPConnection:
        """Wait for the open connection.

        :raises ConnectError: it failed to open, or not in time.
        """
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        with self._lock:
            if self._is_open:
                return self._connection
            self._is_abandoned = True
        # The socket's own timeout may end just before the join's.
        if self._error is None or isinstance(self._error, TimeoutError):
            raise ConnectError(f"no connection within {self._timeout:g} s")
        kind = UntrustedCertificateError if isinstance(self._error, ssl.SSLCertVerificationError) else ConnectError
        raise kind(f"{type(self._error).__name__}: {self._error}") from self._error


class _DeadlineReader(io.RawIOBase):
    """What a socket receives until a deadline. The socket's own timeout starts again with every byte."""

    def __init__(self, receiver: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = receiver, deadline
        self._raw = receiver.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the file that HTTPResponse reads."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int | None:  # type: ignore[override]
        self._socket.settimeout(_remaining(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _receive(receiver: socket.socket, method: str, deadline: float) -> tuple[Response, bool]:
    """Return the response, and whether the server closes the connection after it."""
    with HTTPResponse(_DeadlineReader(receiver, deadline), method=method) as response:  # type: ignore[arg-type]
        response.begin()
        length = response.length  # None if the response does not state it
        body = response.read(_MAX_BODY + 1) if length is None or length > _MAX_BODY else response.read()
    if len(body) > _MAX_BODY:
        raise ValueError(f"the response's body exceeds {_MAX_BODY} bytes")
    return Response(response.status, cast(Mapping[str, str], response.headers), body), response.will_close


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _is_open(idle: socket.socket) -> bool:
    """Return whether an idle connection is open. To read also takes in the tickets that TLS 1.3 sends unrequested."""
    idle.settimeout(0)
    try:
        idle.recv(1)  # the end of the connection, or a response without a request
    except OSError as error:
        return isinstance(error, (BlockingIOError, ssl.SSLWantReadError))
    return False
