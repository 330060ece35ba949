"""The emulator without its port: the API with faults, a record of each call, and the acts of customers and banks."""

import copy
import dataclasses
import functools
import threading
from collections.abc import Callable
from typing import Any

from devstack.stripe import confirmations, disputes, errors
from devstack.stripe.account import find_account
from devstack.stripe.api import Api, error_response, response_headers
from devstack.stripe.confirmations import Outcome
from devstack.stripe.faults import Fault, Faults
from devstack.stripe.messages import Request, RequestRecord, Response


class Emulator:
    """An emulated Stripe account. Safe to use from many threads.

    ``keys`` (:class:`devstack.stripe.keys.Keys`) issues and revokes keys. ``faults``
    (:class:`devstack.stripe.faults.Faults`) makes calls fail. ``webhooks``
    (:class:`devstack.stripe.webhooks.Webhooks`) delivers events. ``requests`` records the calls in the order of their
    responses; a test may clear it.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self.keys = api.keys
        self.webhooks = api.webhooks
        self.faults = Faults()
        self.requests: list[RequestRecord] = []
        self.stopping = threading.Event()

    @property
    def declining(self) -> bool:
        """Whether the bank declines every card. Can be set."""
        return all(account.declining for account in self._api.accounts)

    @declining.setter
    def declining(self, value: bool) -> None:
        for account in self._api.accounts:
            account.declining = value

    @property
    def payment_intents(self) -> list[dict[str, Any]]:
        """Every PaymentIntent as it is now: test mode's, then live mode's, each oldest first."""
        return self._objects("payment_intent")

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event, in the order of :attr:`payment_intents`."""
        return self._objects("event")

    def authenticate(self, payment_intent: str, outcome: Outcome = "succeed") -> dict[str, Any]:
        """Authenticate as the customer of a PaymentIntent that ``requires_action``, or fail to.

        :param payment_intent: its id.
        :return: the PaymentIntent: ``succeeded``, or ``requires_payment_method`` with ``last_payment_error``.
        :raises ValueError: there is no such outcome.
        :raises StripeError: there is no such PaymentIntent, or it does not wait for authentication.
        """
        return self._act(payment_intent, confirmations.authenticate, outcome)

    def settle_payment(self, payment_intent: str, outcome: Outcome = "succeed") -> dict[str, Any]:
        """End a PaymentIntent that is ``processing`` as the bank does; see :meth:`authenticate`."""
        return self._act(payment_intent, confirmations.settle, outcome)

    def dispute(self, payment_intent: str) -> dict[str, Any]:
        """Dispute a whole payment as fraudulent, as the bank does, and return the Dispute.

        :raises StripeError: there is no such PaymentIntent, or it is not paid, or already disputed.
        """
        return self._act(payment_intent, disputes.create)

    def respond(self, request: Request) -> Response | None:
        """Respond to a call with the fault that matches it; return None if its connection must be cut."""
        fault = self.faults.next(request.method, request.path)
        response = self._respond_with_fault(request, fault)
        if self.faults.hold(fault.delay_after, self.stopping) or fault.cut is not None:
            response = None
        key_last4 = request.key[-4:] if request.key else None
        status = response.status if response else None
        record = RequestRecord(request.method, request.path, request.idempotency_key, key_last4, status)
        self.requests.append(record)
        return response

    def _act(self, payment_intent: str, act: Callable[..., dict[str, Any]], *outcome: Outcome) -> dict[str, Any]:
        account = find_account(self._api.accounts, "payment_intent", payment_intent)
        try:
            with account.lock:
                return copy.deepcopy(act(self._api.call(account, id=payment_intent), *outcome))
        finally:
            self._api.feed.deliver()

    def _respond_with_fault(self, request: Request, fault: Fault) -> Response | None:
        @functools.cache  # the API may call it too, but there is only one pause
        def pause() -> None:
            if self.faults.hold(fault.delay, self.stopping):
                raise ConnectionAbortedError

        response = None
        try:
            if fault.executes:
                response = self._api.respond(request, pause)
            pause()
        except ConnectionAbortedError:
            return None
        return _fault_response(fault, request) if fault.replaces_response else response

    def _objects(self, kind: str) -> list[dict[str, Any]]:
        objects = []
        for account in self._api.accounts:
            with account.lock:
                objects += copy.deepcopy(list(account.tables[kind].values()))
        return objects


def _fault_response(fault: Fault, request: Request) -> Response:
    """Return the response of a fault that replaces the API's."""
    if fault.body is not None:
        response = Response(fault.status or 200, fault.body)
    else:
        assert fault.status is not None
        response = error_response(errors.from_status(fault.status))
    return dataclasses.replace(response, headers={**response_headers(request), **response.headers})
