"""One delivery attempt: a signed POST to a webhook endpoint, and its result."""

import contextlib
import hmac
import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from devstack.stripe.account import Clock

_TIMEOUT = 20.0  # seconds
_RESPONSE_BYTES = 1 << 16  # read and ignored: Stripe uses the status alone

# Opens a connection to an address, with a timeout in seconds.
Connect = Callable[[SplitResult, float], http.client.HTTPConnection]


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver an event to an endpoint.

    ``number`` counts the attempts of one delivery from 1. ``status`` is None if no response came; ``error`` is then the
    reason.
    """

    event_id: str
    event_type: str
    endpoint_id: str
    url: str
    number: int
    status: int | None
    error: str | None

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint responded with 2xx; a redirect is a failure."""
        return self.status is not None and 200 <= self.status <= 299


class WebhookSender:
    """Posts events to endpoints. Safe to use from many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._stopping = False

    def post(self, url: str, body: bytes, secrets: Iterable[str], connect: Connect) -> tuple[int | None, str | None]:
        """Post a signed event. Return the response's status and None, or None and the error."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml",
            "Cache-Control": "no-cache",
            "Stripe-Signature": signature(body, int(self._clock()), secrets),
        }
        try:
            parts = urlsplit(url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection = connect(parts, _TIMEOUT)
            with contextlib.closing(connection), self._connected(connection):
                connection.request("POST", target, body, headers)
                with connection.getresponse() as response:
                    response.read(_RESPONSE_BYTES)
                    return response.status, None
        except (OSError, http.client.HTTPException, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"

    def stop(self) -> None:
        """Shut down every open connection, and refuse new ones."""
        with self._lock:
            self._stopping = True
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    # Not SSLSocket.shutdown, which removes the TLS state that another thread is reading with.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _connected(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Connect, and register the socket so that :meth:`stop` can shut it down."""
        connection.connect()
        opened = connection.sock  # the connection drops it as soon as it has read the response's headers
        with self._lock:
            if self._stopping:
                raise ConnectionAbortedError("The emulator is stopping.")
            self._sockets.add(opened)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(opened)


def connect_directly(url: SplitResult, timeout: float) -> http.client.HTTPConnection:
    """Create a connection to the host and port of an address."""
    connection = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return connection(url.hostname or "", url.port, timeout=timeout)


def signature(body: bytes, timestamp: int, secrets: Iterable[str]) -> str:
    """Return the header ``Stripe-Signature`` of a Unix time (https://docs.stripe.com/webhooks#verify-manually)."""
    payload = b"%d.%s" % (timestamp, body)
    digests = [hmac.digest(secret.encode(), payload, "sha256").hex() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])
