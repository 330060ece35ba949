"""Webhooks: each event goes, signed, to the endpoints that want it, until they take it.

As Stripe does it (https://docs.stripe.com/webhooks): in the background, in no certain order, at least once, with
growing pauses until a 2xx comes or three days have passed. Stripe retries in test mode for a few hours only; here both
modes are alike.
"""

import contextlib
import dataclasses
import hashlib
import heapq
import hmac
import http.client
import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from devstack.stripe.account import Account, Object, owner, tell
from devstack.stripe.ids import new_id
from devstack.stripe.messages import encoded

_WORKERS = 8
_ANSWERED_WITHIN = 20.0  # seconds
_ENDED_WITHIN = 5.0
_GIVEN_UP_AFTER = 3 * 86400.0
_DOUBLINGS, _LONGEST_PAUSE = 6, 60  # in first pauses: 1, 2, 4, 8, 16, 32, 60, 60, ...
_LONGEST_SHUFFLE = 3600.0
_OLD_SECRET_KEPT = 86400.0  # at most, as at Stripe
_LOST = "Not sent, as fail_every asks."
_READ_OF_ANSWER = 1 << 16  # bytes; Stripe does not care what they say


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver an event to an endpoint.

    ``number`` counts a delivery's attempts from 1. ``status`` is None if no answer came; then ``error`` says why.
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
        """Whether the endpoint took the event: 2xx, so a redirect is a failure."""
        return self.status is not None and 200 <= self.status <= 299


@dataclass
class _Delivery:
    """An event on its way to an endpoint. One thread at a time has it."""

    account: Account
    event_id: str
    endpoint_id: str
    since: float
    lost: bool = False
    attempts: int = 0


@dataclass(frozen=True)
class _Letter:
    """What one attempt sends, and where to."""

    event_type: str
    url: str
    body: bytes
    secrets: tuple[str, ...]


class Webhooks:
    """Delivers events, and remembers each attempt. Safe to use from many threads.

    ``attempts`` lists them in the order they ended, and may be cleared. What Stripe's network does now and then is
    there on request: every ``duplicate_every``-th delivery is made twice, the first attempt of every
    ``fail_every``-th is lost, and each delivery is held for up to ``shuffle`` seconds, by ``random``, so that the
    order changes. 0 is never. ``connect`` makes the connection to an address, with a time limit in seconds; it is for
    those who have hosts that no name service knows.
    """

    def __init__(
        self,
        accounts: tuple[Account, Account],
        clock: Callable[[], float],
        first_pause: float,
        on_delivery: Callable[[Attempt], None] | None,
    ) -> None:
        """Begin with nothing to deliver, and no thread.

        :param accounts: test and live mode.
        :param clock: the time in Unix seconds, for signatures, expiry, and giving up; pauses go by the real one.
        :param first_pause: seconds from the first failure to the second attempt; then doubled, up to 60 times this.
        :param on_delivery: gets each attempt when it has ended. It may call this object.
        :raises ValueError: the pause is not above 0.
        """
        if not first_pause > 0:
            raise ValueError(f"webhook_pause is {first_pause}: it must be above 0 seconds.")
        self.attempts: list[Attempt] = []
        self.duplicate_every = 0
        self.fail_every = 0
        self.shuffle = 0.0
        self.random = random.Random()
        self.connect: Callable[[SplitResult, float], http.client.HTTPConnection] = _connection
        self._accounts = accounts
        self._clock = clock
        self._first_pause = first_pause
        self._on_delivery = on_delivery
        # Who holds an account's lock may take this one, and never the other way round.
        self._lock = threading.Lock()
        self._due = threading.Condition(self._lock)
        self._settled = threading.Condition(self._lock)
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, _Delivery]] = []  # a heap: due time, a number for ties, delivery
        self._made = 0
        self._pending = 0
        self._unanswered: set[tuple[str, str]] = set()
        self._workers: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._stopping = False

    @property
    def pending(self) -> int:
        """How many deliveries are neither taken nor given up."""
        return self._pending

    def settle(self, timeout: float) -> bool:
        """Wait until no delivery is pending, and ``on_delivery`` has returned from the last.

        :param timeout: how long at most, in seconds.
        :return: whether none is.
        """
        with self._lock:
            return self._settled.wait_for(lambda: not self._pending, timeout)

    def disturb(
        self, *, duplicate_every: int | None = None, fail_every: int | None = None, shuffle: float | None = None
    ) -> dict[str, float]:
        """Set what goes wrong; None leaves it as it is.

        :return: all three as they are now.
        :raises ValueError: a value makes no sense; the message is a sentence.
        """
        for name, value in (("duplicate_every", duplicate_every), ("fail_every", fail_every)):
            if value is not None and value < 0:
                raise ValueError(f"{name} is {value}: it must be 1 or more, or 0 for never.")
        if shuffle is not None and not 0 <= shuffle <= _LONGEST_SHUFFLE:
            raise ValueError(f"shuffle is {shuffle}: it must be 0 to {_LONGEST_SHUFFLE:.0f} seconds.")
        with self._lock:
            self.duplicate_every = self.duplicate_every if duplicate_every is None else duplicate_every
            self.fail_every = self.fail_every if fail_every is None else fail_every
            self.shuffle = self.shuffle if shuffle is None else shuffle
            return {
                "duplicate_every": self.duplicate_every,
                "fail_every": self.fail_every,
                "shuffle": self.shuffle,
            }

    def roll(self, endpoint_id: str, keep_old_for: float = 0.0) -> str:
        """Give an endpoint a new signing secret, as a person does in Stripe's dashboard: its API has no call for that.

        :param keep_old_for: for how many seconds the old one still signs too; 0 to 86400, as at Stripe.
        :return: the new secret.
        :raises ValueError: ``keep_old_for`` is out of range.
        :raises StripeError: there is no such endpoint.
        """
        if not 0 <= keep_old_for <= _OLD_SECRET_KEPT:
            raise ValueError(f"keep_old_for is {keep_old_for}: it must be 0 to {_OLD_SECRET_KEPT:.0f} seconds.")
        account = owner(self._accounts, "webhook_endpoint", endpoint_id)
        with account.lock:
            endpoint = account.find("webhook_endpoint", endpoint_id)
            old = account.old_secrets.setdefault(endpoint_id, [])
            old.insert(0, (endpoint["secret"], self._clock() + keep_old_for))
            endpoint["secret"] = new_id("whsec", 32)
            return str(endpoint["secret"])

    def send(self, account: Account, event: Object, endpoint_ids: Iterable[str]) -> None:
        """Begin to deliver a new event. Returns at once.

        :param account: the event's; its lock is held.
        :param endpoint_ids: who gets it.
        """
        names = list(endpoint_ids)
        with self._lock:
            self._unanswered.update((event["id"], name) for name in names)
            self._begin(account, event, names)

    def resend(self, event_id: str) -> int:
        """Deliver an event once more, as Stripe's dashboard does, to each endpoint that wants its type now.

        :return: how many those are. Deliveries that are pending go on.
        :raises StripeError: there is no such event.
        """
        account = owner(self._accounts, "event", event_id)
        with account.lock, self._lock:
            event = account.find("event", event_id)
            names = account.listening(event["type"])
            self._begin(account, event, names)
        return len(names)

    def withdraw(self, endpoint_id: str) -> None:
        """Give up what is on its way to an endpoint that was deleted or disabled; its account's lock is held."""
        with self._lock:
            kept = [entry for entry in self._waiting if entry[-1].endpoint_id != endpoint_id]
            self._end(len(self._waiting) - len(kept))
            self._waiting = kept
            heapq.heapify(kept)

    def stop(self) -> None:
        """Give up everything, and end every thread."""
        with self._lock:
            self._stopping = True
            self._end(len(self._waiting))
            self._waiting = []
            self._due.notify_all()
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    # Not SSLSocket's, which takes the TLS state away from the thread that is reading.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for worker in self._workers:
            if worker is not threading.current_thread():
                worker.join(_ENDED_WITHIN)

    def _begin(self, account: Account, event: Object, endpoint_ids: list[str]) -> None:
        if self._stopping:
            return
        for endpoint_id in endpoint_ids:
            self._made += 1
            delivery = _Delivery(account, event["id"], endpoint_id, self._clock())
            if _is_nth(self._made, self.duplicate_every):
                self._schedule(dataclasses.replace(delivery), self.random.uniform(0, self.shuffle))
                self._pending += 1
            delivery.lost = _is_nth(self._made, self.fail_every)
            self._schedule(delivery, self.random.uniform(0, self.shuffle))
            self._pending += 1

    def _schedule(self, delivery: _Delivery, pause: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + pause, next(self._numbers), delivery))
        if len(self._workers) < _WORKERS:
            name = f"stripe stand-in webhooks {len(self._workers) + 1}"
            worker = threading.Thread(target=self._work, name=name, daemon=True)
            self._workers.append(worker)
            worker.start()
        self._due.notify()

    def _end(self, count: int) -> None:
        self._pending -= count
        if not self._pending:
            self._settled.notify_all()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            again = False
            try:
                again = self._attempt(delivery)
            finally:
                self._go_on(delivery, again)

    def _next(self) -> _Delivery | None:
        """Wait for the delivery that is due next; None at the end."""
        with self._lock:
            while not self._stopping:
                wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    # Whoever takes one wakes the next thread, which waits for the one behind it.
                    self._due.notify()
                    return heapq.heappop(self._waiting)[-1]
                self._due.wait(wait)
        return None

    def _attempt(self, delivery: _Delivery) -> bool:
        """Make one attempt.

        :return: whether another is to follow.
        """
        letter = self._letter(delivery)
        if letter is None:
            return False
        delivery.attempts += 1
        status, error = (None, _LOST) if delivery.lost else self._post(letter)
        delivery.lost = False
        if self._stopping:
            return False
        attempt = Attempt(
            delivery.event_id,
            letter.event_type,
            delivery.endpoint_id,
            letter.url,
            delivery.attempts,
            status,
            error,
        )
        if attempt.succeeded:
            self._answered(delivery)
        self.attempts.append(attempt)
        tell(self._on_delivery, attempt)
        return not attempt.succeeded and self._clock() - delivery.since < _GIVEN_UP_AFTER

    def _go_on(self, delivery: _Delivery, again: bool) -> None:
        with delivery.account.lock, self._lock:
            if again and not self._stopping and delivery.account.is_enabled(delivery.endpoint_id):
                pauses = min(2 ** min(delivery.attempts - 1, _DOUBLINGS), _LONGEST_PAUSE)
                self._schedule(delivery, self._first_pause * pauses)
            else:
                self._end(1)

    def _letter(self, delivery: _Delivery) -> _Letter | None:
        """Return what to send now; None if the endpoint is gone or disabled."""
        account = delivery.account
        with account.lock:
            if not account.is_enabled(delivery.endpoint_id):
                return None
            endpoint = account.find("webhook_endpoint", delivery.endpoint_id)
            event = account.find("event", delivery.event_id)
            body = encoded({**event, "api_version": endpoint["api_version"] or event["api_version"]})
            now = self._clock()
            old = [entry for entry in account.old_secrets.get(endpoint["id"], []) if entry[1] > now]
            account.old_secrets[endpoint["id"]] = old
            secrets = (endpoint["secret"], *(secret for secret, _ in old))
            return _Letter(event["type"], endpoint["url"], body, secrets)

    def _answered(self, delivery: _Delivery) -> None:
        """Count an endpoint's first 2xx to an event."""
        name = delivery.event_id, delivery.endpoint_id
        with delivery.account.lock, self._lock:
            if name in self._unanswered:
                self._unanswered.remove(name)
                delivery.account.find("event", delivery.event_id)["pending_webhooks"] -= 1

    def _post(self, letter: _Letter) -> tuple[int | None, str | None]:
        """Send an event.

        :return: the answer's status and None, or None and what went wrong.
        """
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml",
            "Cache-Control": "no-cache",
            "Stripe-Signature": signature(letter.body, int(self._clock()), letter.secrets),
        }
        try:
            url = urlsplit(letter.url)
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection = self.connect(url, _ANSWERED_WITHIN)
            with contextlib.closing(connection), self._connected(connection):
                connection.request("POST", target, letter.body, headers)
                with connection.getresponse() as response:
                    response.read(_READ_OF_ANSWER)
                    return response.status, None
        except (OSError, http.client.HTTPException, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"

    @contextlib.contextmanager
    def _connected(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Connect, so that :meth:`stop` can end it."""
        connection.connect()
        opened = connection.sock  # which the connection forgets once the answer's headers are there
        with self._lock:
            if self._stopping:
                raise ConnectionAbortedError("The stand-in is stopping.")
            self._sockets.add(opened)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(opened)


def _connection(url: SplitResult, timeout: float) -> http.client.HTTPConnection:
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return connect(url.hostname or "", url.port, timeout=timeout)


def signature(body: bytes, timestamp: int, secrets: Iterable[str]) -> str:
    """Sign an event, as https://docs.stripe.com/webhooks#verify-manually says.

    :param timestamp: when it is sent, in Unix seconds.
    :param secrets: each makes one ``v1``.
    :return: the header ``Stripe-Signature``.
    """
    signed = b"%d.%s" % (timestamp, body)
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])


def _is_nth(number: int, every: int) -> bool:
    return every > 0 and number % every == 0
