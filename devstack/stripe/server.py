"""The stand-in as a server: connections, faults, and what is remembered of each call."""

import copy
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from devstack.stripe import admin, confirmations, disputes, errors
from devstack.stripe.account import API_VERSION, Call, owner
from devstack.stripe.api import Api
from devstack.stripe.confirmations import Outcome
from devstack.stripe.connections import Listener
from devstack.stripe.errors import StripeError
from devstack.stripe.faults import Fault, Faults
from devstack.stripe.ids import new_id
from devstack.stripe.messages import Answer, Request, RequestRecord, encoded
from devstack.stripe.webhooks import Attempt


class StripeServer:
    """Stripe on loopback. Safe to use from many threads.

    ``keys`` (:class:`devstack.stripe.keys.Keys`) issues and revokes keys, ``faults``
    (:class:`devstack.stripe.faults.Faults`) lets calls go wrong, ``webhooks``
    (:class:`devstack.stripe.webhooks.Webhooks`) delivers the events; ``requests`` lists what was called, in the order
    of the answers, and may be cleared.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        on_event: Callable[[dict[str, Any]], None] | None = None,
        clock: Callable[[], float] = time.time,
        on_delivery: Callable[[Attempt], None] | None = None,
        webhook_pause: float = 1.0,
    ) -> None:
        """Bind the port; :meth:`start` begins to answer.

        :param port: 0 for any free one.
        :param host: the address to listen on.
        :param on_event: gets each Stripe event, in order, after the state has changed and before the call that made
            it is answered. It may call this server.
        :param clock: the time in Unix seconds.
        :param on_delivery: gets each attempt to deliver an event to a webhook endpoint, when it has ended. It may call
            this server.
        :param webhook_pause: seconds from a delivery's first failure to its second attempt; then doubled each time, up
            to 60 times this.
        :raises OSError: the port is taken.
        :raises ValueError: the pause is not above 0.
        """
        self._api = Api(on_event, clock, webhook_pause, on_delivery)
        self._listener = Listener((host, port), self.answer)
        self._thread: threading.Thread | None = None
        self.keys = self._api.keys
        self.faults = Faults()
        self.webhooks = self._api.webhooks
        self.requests: list[RequestRecord] = []
        self.port: int = self._listener.server_address[1]
        self.url = f"http://{host}:{self.port}"

    def start(self) -> "StripeServer":
        """Answer in the background."""
        run = self._listener.serve_forever
        self._thread = threading.Thread(target=run, args=(0.05,), name="stripe stand-in", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection, end every thread, and free the port."""
        self._listener.stopping.set()
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._thread = None
        self._listener.server_close()
        self._listener.close_connections()
        self.webhooks.stop()

    def __enter__(self) -> "StripeServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._listener.accepted

    @property
    def declining(self) -> bool:
        """Whether every bank says no, whatever the card. May be set."""
        return all(account.declining for account in self._api.accounts)

    @declining.setter
    def declining(self, value: bool) -> None:
        for account in self._api.accounts:
            account.declining = value

    @property
    def payment_intents(self) -> list[dict[str, Any]]:
        """Every PaymentIntent as it is now, test mode's first, then live mode's; oldest first."""
        return self._all("payment_intent")

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event, in the order of :attr:`payment_intents`."""
        return self._all("event")

    def authenticate(self, payment_intent: str, outcome: Outcome = "succeed") -> dict[str, Any]:
        """Do what the customer does with a PaymentIntent that ``requires_action``.

        :param payment_intent: its id.
        :param outcome: ``succeed`` or ``fail``.
        :return: the PaymentIntent: ``succeeded``, or ``requires_payment_method`` with ``last_payment_error``.
        :raises ValueError: there is no such outcome.
        :raises StripeError: there is no such PaymentIntent, or it does not wait for its customer.
        """
        _check_outcome(outcome)
        return self._with_payment(payment_intent, lambda call: confirmations.authenticate(call, outcome))

    def settle_payment(self, payment_intent: str, outcome: Outcome = "succeed") -> dict[str, Any]:
        """Do what the bank does in the end with a PaymentIntent that is ``processing``.

        :param payment_intent: its id.
        :param outcome: ``succeed`` or ``fail``.
        :return: the PaymentIntent: ``succeeded``, or ``requires_payment_method`` with ``last_payment_error``.
        :raises ValueError: there is no such outcome.
        :raises StripeError: there is no such PaymentIntent, or it is not processing.
        """
        _check_outcome(outcome)
        return self._with_payment(payment_intent, lambda call: confirmations.settle(call, outcome))

    def dispute(self, payment_intent: str) -> dict[str, Any]:
        """Do what a cardholder's bank does: dispute a payment, all of it, as fraudulent.

        :param payment_intent: the id of the PaymentIntent that was paid.
        :return: the Dispute, which ``charge.dispute.created`` tells about.
        :raises StripeError: there is no such PaymentIntent, it was not paid, or is disputed already.
        """
        return self._with_payment(payment_intent, disputes.create)

    def answer(self, request: Request, connection: int) -> Answer | None:
        """Answer a call, with the fault that it meets.

        :param request: the call.
        :param connection: the number of its connection.
        :return: None if the connection is to be cut.
        """
        if request.path.startswith(admin.PREFIX):
            return admin.answer(self, request)
        fault = self.faults.next(request.method, request.path)
        answer = self._faulty_answer(request, fault)
        if self.faults.hold(fault.delay_after, self._listener.stopping) or fault.cut is not None:
            answer = None
        self.requests.append(self._record(request, connection, answer.status if answer else None))
        return answer

    def _with_payment(self, payment_intent: str, act: Callable[[Call], dict[str, Any]]) -> dict[str, Any]:
        account = owner(self._api.accounts, "payment_intent", payment_intent)
        try:
            with account.lock:
                return copy.deepcopy(act(self._api.call(account, id=payment_intent)))
        finally:
            self._api.feed.deliver()

    def _faulty_answer(self, request: Request, fault: Fault) -> Answer | None:
        paused = False

        def pause() -> None:
            nonlocal paused
            if not paused and self.faults.hold(fault.delay, self._listener.stopping):
                raise ConnectionAbortedError
            paused = True

        answer = None
        try:
            if fault.executes:
                failure = errors.of_status(fault.status) if fault.saved and fault.status else None
                answer = self._api.answer(request, pause, failure)
            pause()
        except ConnectionAbortedError:
            return None
        return _replaced(fault, request) if fault.replaces_answer and not fault.saved else answer

    def _record(self, request: Request, connection: int, status: int | None) -> RequestRecord:
        try:
            params = request.params
        except StripeError:
            params = {}
        key = self.keys.good(request.key)
        return RequestRecord(
            request.method,
            request.path,
            params,
            request.idempotency_key,
            request.key[-4:] if request.key else None,
            key.livemode if key else None,
            connection,
            status,
            request.headers.get("stripe-version"),
        )

    def _all(self, kind: str) -> list[dict[str, Any]]:
        found = []
        for account in self._api.accounts:
            with account.lock:
                found += copy.deepcopy(list(account.tables[kind].values()))
        return found


def _check_outcome(outcome: Outcome) -> None:
    if outcome not in ("succeed", "fail"):
        raise ValueError(f"outcome is {outcome!r}: it must be 'succeed' or 'fail'.")


def _replaced(fault: Fault, request: Request) -> Answer:
    """Return the answer that a fault gives in the place of the API's."""
    headers = {
        "Request-Id": new_id("req", 14),
        "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
    }
    if fault.body is not None:
        return Answer(fault.status or 200, fault.body, headers)
    assert fault.status is not None
    error = errors.of_status(fault.status)
    return Answer(error.status, encoded({"error": error.error}), {**headers, **error.headers})
