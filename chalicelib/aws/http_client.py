"""HTTP/1.1 to one origin, over connections that are kept alive, each exchange within a time. Knows nothing of billing.

There is no repeat in here: whoever calls knows whether one is safe, and what an exchange that broke off may have done.
"""

import contextlib
import io
import math
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import cast
from urllib.parse import unquote, urlsplit

from .credentials import Network

# Bytes: what Stripe and AWS answer is some kilobytes, and a container has no room for whatever somebody else sends.
_LARGEST = 4 * 1024 * 1024

# Seconds that an idle connection is trusted: AWS's NAT gateways forget one after 350, and other networks do so without
# a word. By the wall clock, since the monotonic one may stand still while Lambda freezes the sandbox.
_TRUSTED = 300.0

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class HttpError(Exception):
    """There is no answer. What was sent may have had its effect."""


class ConnectError(HttpError):
    """No connection was made, so nothing was sent."""


class CertificateError(ConnectError):
    """The other side's certificate does not verify, or there is nothing to verify it by."""


class ReadTimeout(HttpError):
    """It was sent, and not answered completely in time."""


class StaleConnectionError(HttpError):
    """The other side closed a connection that had been kept; on a new one the same may well succeed."""


@dataclass(frozen=True)
class Response:
    """What the other side answered. The names of ``headers`` are looked up in any case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class HttpClient:
    """Talks to one origin. Safe to use from many threads, each of which has a connection to itself meanwhile."""

    def __init__(
        self, origin: str, network: Network, *, ca_file: str | None = None, connect: float = 2.0, answer: float = 8.0
    ) -> None:
        """No connection is opened yet.

        :param origin: ``https://host`` or ``https://host:port``; ``http://`` for this machine alone.
        :param network: proxy and CA file of the environment.
        :param ca_file: the certificates to verify by where the environment names none; None for the system's.
        :param connect: seconds for opening a connection: name, proxy, TCP and TLS together.
        :param answer: seconds from sending a request to the last byte of its answer.
        :raises ValueError: the origin is none, or would send in the clear over a network.
        """
        self.origin = origin
        parts = urlsplit(origin)
        self._host, self._tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc
        local = self._host in _LOOPBACK
        if not self._host or not (self._tls or (parts.scheme == "http" and local)):
            raise ValueError(f"{origin!r} is neither an https:// address nor an http:// address of this machine")
        self._proxy = "" if local or _goes_direct(self._host, self._port, network.no_proxy) else network.proxy
        self._ca_file = network.ca_file or ca_file
        self._connect, self._answer = connect, answer
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: list[tuple[HTTPConnection, float]] = []
        self._early: _Opening | None = None
        self._process = os.getpid()

    def open(self) -> None:
        """Begin to open a connection in the background, for the first exchange."""
        with contextlib.suppress(ConnectError):  # the first exchange tries again
            self._early = _Opening(lambda: self._dial(self._connection()), self._connect)

    def wait(self) -> None:
        """Wait until what :meth:`open` began has ended. A connection that was not made is tried again when needed."""
        if self._early is not None:
            with contextlib.suppress(HttpError):
                self._keep(self._early.result())
            self._early = None

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None, *, by: float = math.inf
    ) -> Response:
        """Send a request and return its answer, whatever its status; redirects are not followed.

        :param target: path and query.
        :param by: when it has ended, by the monotonic clock, if that is before the limits given above.
        :raises HttpError: one of those above.
        """
        asked = (method, target, headers, body)
        connection = self._kept()
        kept = connection is not None
        if connection is None:
            unopened = self._connection()  # here: to load certificates takes a slow machine some of its time
            left = min(self._connect, by - time.monotonic())
            if left <= 0:
                raise ConnectError("no time was left to connect")
            connection = _Opening(lambda: self._dial(unopened), left).result()
        begun = time.monotonic()
        if begun >= by:
            self._keep(connection)
            raise ConnectError("no time was left to send anything")
        deadline = min(begun + self._answer, by)
        try:
            answer, ended = _answer(connection, self._authority, *asked, deadline)
        except TimeoutError as error:
            connection.close()
            raise ReadTimeout(f"no complete answer within {deadline - begun:.3g} s") from error
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            kind = StaleConnectionError if kept and isinstance(error, (ConnectionError, ssl.SSLError)) else HttpError
            raise kind(f"{type(error).__name__}: {error}") from error
        if ended:
            connection.close()
        else:
            self._keep(connection)
        return answer

    def close(self) -> None:
        """Close the connections that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _kept(self) -> HTTPConnection | None:
        """Return a kept connection that looks alive, the one used last first."""
        while True:
            with self._lock:
                if self._process != os.getpid():  # a fork: two processes on one connection would mix their answers up
                    self._process, self._idle = os.getpid(), []
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.time() - since < _TRUSTED and _is_open(connection.sock):
                return connection
            connection.close()

    def _keep(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._idle.append((connection, time.time()))

    def _dial(self, connection: HTTPConnection) -> HTTPConnection:
        if self._proxy:
            proxy = urlsplit(self._proxy if "://" in self._proxy else f"http://{self._proxy}")
            if proxy.scheme != "http" or not proxy.hostname:
                raise OSError("HTTPS_PROXY must be an http:// address: no other kind of proxy is supported")
            connection.host, connection.port = proxy.hostname, proxy.port or 80
            connection.set_tunnel(self._host, self._port, _authorization(proxy.username, proxy.password))
        connection.connect()
        return connection

    def _connection(self) -> HTTPConnection:
        if not self._tls:
            return HTTPConnection(self._host, self._port, timeout=self._connect)
        with self._lock:
            if self._context is None:
                try:
                    self._context = ssl.create_default_context(cafile=self._ca_file)
                except OSError as error:
                    raise CertificateError(f"the certificates of {self._ca_file} can't be read: {error}") from error
                self._context.set_alpn_protocols(["http/1.1"])
        return HTTPSConnection(self._host, self._port, timeout=self._connect, context=self._context)


class _Opening:
    """A connection on its way, in a thread: a socket's time limit knows nothing of name resolution."""

    def __init__(self, dial: Callable[[], HTTPConnection], within: float) -> None:
        self._dial, self._within = dial, within
        self._deadline = time.monotonic() + within
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._error: Exception | None = None
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="connect", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads
            raise ConnectError(str(error)) from error

    def _run(self) -> None:
        try:
            connection = self._dial()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
            return
        with self._lock:
            self._connection = connection
            if self._given_up:
                connection.close()

    def result(self) -> HTTPConnection:
        """Wait for the connection, until its time is over.

        :raises ConnectError: it was not made in time, or not at all.
        """
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        with self._lock:
            if self._connection is not None:
                return self._connection
            self._given_up = True
        error = self._error
        if error is None or isinstance(error, TimeoutError):  # the socket's own limit may be the first by a hair
            raise ConnectError(f"no connection within {self._within:g} s")
        if isinstance(error, HttpError):
            raise error
        kind = CertificateError if isinstance(error, ssl.SSLCertVerificationError) else ConnectError
        raise kind(f"{type(error).__name__}: {error}") from error


class _Timed(io.RawIOBase):
    """What a socket receives until a deadline: its own time limit starts anew with every byte."""

    def __init__(self, receiver: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = receiver, deadline
        self._raw = receiver.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what HTTPResponse reads from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int | None:  # type: ignore[override]
        self._socket.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _answer(
    connection: HTTPConnection,
    authority: str,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None,
    deadline: float,
) -> tuple[Response, bool]:
    """Send a request in one piece, where http.client would take two; say also whether the connection ends with it."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [] if body is None else [f"Content-Length: {len(body)}"]
    if any(not line.isprintable() for line in lines) or " " in target:
        raise ValueError("a header or a target that would be more than that")  # and is not quoted: it may be a secret
    sender = connection.sock
    sender.settimeout(_left(deadline))
    sender.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
    with HTTPResponse(_Timed(sender, deadline), method=method) as response:  # type: ignore[arg-type]
        response.begin()
        length = response.length  # None where the answer does not say
        content = response.read(_LARGEST + 1) if length is None or length > _LARGEST else response.read()
    if len(content) > _LARGEST:
        raise ValueError(f"an answer of more than {_LARGEST} bytes")
    return Response(response.status, cast(Mapping[str, str], response.headers), content), response.will_close


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _is_open(idle: socket.socket) -> bool:
    """Say whether the other side has closed a connection. TLS 1.3 sends tickets unasked, and reading takes those in."""
    idle.settimeout(0)
    try:
        idle.recv(1)  # its end, or an answer that nobody asked for
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        pass
    return False


def _goes_direct(host: str, port: int, no_proxy: str) -> bool:
    """Say whether a list of hosts, domains and ``host:port`` names a host, as curl reads it."""
    for entry in no_proxy.lower().split(","):
        name, _, only_port = entry.strip().lstrip(".").partition(":")
        named = name == "*" or (name and f".{host}".endswith(f".{name}"))
        if named and only_port in ("", str(port)):
            return True
    return False


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    from base64 import b64encode

    pair = f"{unquote(user)}:{unquote(password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
