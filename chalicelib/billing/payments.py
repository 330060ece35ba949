"""Charging through Stripe. The only module that talks to Stripe, and the only one that uses its key."""

import hashlib
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from chalicelib.aws.http_client import HttpClient
from chalicelib.aws.secret import Secret, SecretError, SecretValue, clear_frame_locals
from chalicelib.billing import charge_problems
from chalicelib.billing.pricing import amount
from chalicelib.billing.purchase_request import PurchaseRequest
from chalicelib.config import StageConfig
from chalicelib.problems import Problem
from chalicelib.stripe_client.connection import ANSWER, CONNECT
from chalicelib.stripe_client.errors import KEY_REJECTED, UnexpectedResponseError, is_retryable
from chalicelib.stripe_client.sdk_without_asyncio import stripe
from chalicelib.stripe_client.transport import StripeStaleConnectionError, StripeTransport
from chalicelib.telemetry import Telemetry

# Pinned, so that an answer keeps its form whatever the account's default version is (https://docs.stripe.com/api/versioning).
API_VERSION = "2026-10-28.endive"

# Seconds. An answer must be out within 25: an attempt ends after CONNECT and ANSWER whatever Stripe does, and none
# begins that could end after _ANSWERED. A first attempt for which Secret Store, throttling, gave the key late gets
# what is left, which is _ENOUGH: so much longer the key can be waited for (docs/fleet.md).
_ANSWERED, _ENOUGH = 24.0, 6.0
KEY_WITHIN = _ANSWERED - _ENOUGH
_ATTEMPTS = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0

_T = TypeVar("_T")

_INTENTS = "/v1/payment_intents"

PAYMENT_ID = "pi_[A-Za-z0-9_]{1,250}"
# What a payment's status may be: as it is made, and when it is looked up.
CHARGED = ("succeeded", "processing", "requires_action")
LOOKED_UP = (*CHARGED, "failed", "refunded")


@dataclass(frozen=True)
class Payment:
    """A PaymentIntent as callers see it: ``amount`` in cents, ``created`` in Unix seconds.

    ``status``: succeeded, processing, requires_action, and of a payment that is looked up also failed or refunded.
    ``client_secret``: with requires_action alone. ``code``, ``decline_code``: Stripe's, with failed alone.
    """

    id: str
    status: str
    amount: int
    currency: str
    storage: int
    created: int
    client_secret: str | None = None
    code: str | None = None
    decline_code: str | None = None


class Payments:
    """Makes payments with the stage's key, over connections that are kept alive. Safe to use from many threads."""

    def __init__(self, config: StageConfig, key: Secret, connection: HttpClient, telemetry: Telemetry) -> None:
        """Nothing is called yet.

        :param config: the stage's configuration.
        :param key: the parameter that holds Stripe's key, checked by :meth:`StageConfig.validate_stripe_key`.
        :param connection: to Stripe.
        :param telemetry: traces the calls.
        """
        self._config = config
        self._key = key
        self._telemetry = telemetry
        self._transport = StripeTransport(connection)
        # The key goes with each call, since it may be replaced between two.
        self._stripe = stripe.StripeClient(
            "none",
            http_client=self._transport,
            stripe_version=API_VERSION,
            base_addresses={"api": config.stripe_api_base},
            max_network_retries=0,
        )

    def charge(self, purchase: PurchaseRequest, caller: str) -> Payment:
        """Charge for storing notes, once for a caller and key, however often and wherever this is repeated in 24 h.

        :param purchase: what is bought, and what pays.
        :param caller: who pays; the idempotency key is this caller's.
        :return: the payment: ``succeeded``, ``processing`` or ``requires_action``.
        :raises Problem: every other outcome (docs/http-api.md).
        """
        params = self._params(purchase, caller)
        key = scoped_key(self._config.stage, caller, purchase.idempotency_key)

        def create(secret: SecretValue) -> Payment:
            intent = self._call("post", _INTENTS, secret, idempotency_key=key, **params)
            return _charged(intent, purchase, self._config)

        return self._attempts(create, lambda failures: charge_problems.charge_problem(failures, purchase))

    def find(self, payment_id: str, caller: str) -> Payment:
        """Look up what became of a payment.

        :param payment_id: a PaymentIntent's id.
        :param caller: who asks; nobody but the payer gets an answer.
        :raises Problem: ``not_found``, whether there is no such payment or it is another's; ``payment_provider_error``,
            ``rate_limited``, ``stripe_key_unavailable`` or ``stripe_key_rejected``.
        """
        if not re.fullmatch(PAYMENT_ID, payment_id):
            raise charge_problems.payment_not_found()

        def retrieve(secret: SecretValue) -> Payment | None:
            intent = self._call("get", f"{_INTENTS}/{payment_id}", secret, expand=["latest_charge"])
            if intent.get("id") != payment_id:
                raise UnexpectedResponseError("another object than the one asked for")
            metadata = intent.get("metadata")
            whose = (metadata.get("caller"), metadata.get("stage")) if isinstance(metadata, dict) else None
            if whose != (caller, self._config.stage):
                return None
            return _looked_up(intent, self._config)

        payment = self._attempts(retrieve, charge_problems.retrieval_problem)
        if payment is None:
            raise charge_problems.payment_not_found()
        return payment

    def _call(self, method: str, path: str, key: SecretValue, **params: Any) -> dict[str, Any]:
        """Call Stripe by stripe-python's way for custom requests, which answers with the JSON as it is.

        What it has of PaymentIntents, 147 classes, describes the same, and is a seventh of a cold start to import.
        """
        said = self._stripe.raw_request(method, path, api_key=key.reveal(), **params).data
        if not isinstance(said, dict):
            raise UnexpectedResponseError(f"not an object but {type(said).__name__}")
        return said

    def _params(self, purchase: PurchaseRequest, caller: str) -> Any:
        """Return the PaymentIntent's parameters (https://docs.stripe.com/api/payment_intents/create).

        They depend on purchase, caller and stage alone: Stripe compares them when a key is used again.
        """
        pays: dict[str, Any] = {purchase.paid_by: purchase.token}
        if purchase.paid_by == "source":
            # Card and Source objects are ending; as payment_method_data a token takes the same path as the others.
            pays = {"payment_method_data": {"type": "card", "card": {"token": purchase.token}}}
        return {
            "amount": amount(purchase.storage),
            "currency": self._config.currency,
            "confirm": True,
            # No redirects: the customer is authenticated in the page, by Stripe.js' handleNextAction.
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "use_stripe_sdk": True,
            "description": "Scratch charge",
            "metadata": {"storage": str(purchase.storage), "stage": self._config.stage, "caller": caller},
            **pays,
        }

    def _attempts(self, call: Callable[[SecretValue], _T], explain: Callable[[list[Exception]], Problem]) -> _T:
        """Call Stripe until there is an answer to give.

        :param call: makes the call with a key. A repeat is safe: it reads, or carries the same idempotency key.
        :param explain: the problem for what the attempts raised, the last one last.
        """
        begun = time.monotonic()
        last_repeat = begun + _ANSWERED - CONNECT - ANSWER
        self._transport.end_by(begun + _ANSWERED)
        failures: list[Exception] = []
        pause = _FIRST_PAUSE
        try:
            secret = self._key.get(begun + KEY_WITHIN)
            for attempt in range(1, _ATTEMPTS + 1):
                wait = 0.0
                try:
                    with self._telemetry.subsegment("api.stripe.com", "remote"):
                        return call(secret)
                except KEY_REJECTED as error:
                    failures.append(error)
                    if time.monotonic() > last_repeat:
                        break  # a read could end after _ANSWERED, and nothing could be made of it: the next call has it
                    refused, secret = secret, self._key.refresh(secret, until=last_repeat)
                    if secret == refused:
                        break
                except Exception as error:  # noqa: BLE001 - whatever Stripe's answer made go wrong, it is explained
                    failures.append(error)
                    if not is_retryable(error):
                        break
                    if not isinstance(error, StripeStaleConnectionError):
                        wait, pause = random.uniform(0, pause), min(2 * pause, _LONGEST_PAUSE)
                if attempt == _ATTEMPTS or time.monotonic() + wait > last_repeat:
                    break
                time.sleep(wait)
        except SecretError as error:
            failures.append(error)
        for failure in failures:
            clear_frame_locals(failure)
        raise explain(failures) from failures[-1]


def scoped_key(stage: str, caller: str, idempotency_key: str) -> str:
    """Return the Idempotency-Key that Stripe gets: two callers, or two stages, with the same key do not meet."""
    scope = "\0".join((stage, caller, idempotency_key))  # none of the three can hold a NUL
    return f"notes-billing-{hashlib.sha256(scope.encode()).hexdigest()}"


def _charged(intent: dict[str, Any], purchase: PurchaseRequest, config: StageConfig) -> Payment:
    """Return the PaymentIntent that a charge made.

    :raises UnexpectedResponseError: it is not what was asked for.
    """
    payment = _payment(intent, config)
    if payment.status not in CHARGED or payment.amount != amount(purchase.storage):
        raise UnexpectedResponseError(f"status {payment.status!r}, amount {payment.amount!r}")
    return payment


def _looked_up(intent: dict[str, Any], config: StageConfig) -> Payment:
    """Return a PaymentIntent, with its latest charge expanded, as what became of the payment."""
    payment = _payment(intent, config)
    if payment.status in ("requires_payment_method", "canceled"):
        error = intent.get("last_payment_error")
        code, decline_code = (error.get("code"), error.get("decline_code")) if isinstance(error, dict) else (None, None)
        return replace(payment, status="failed", code=code or payment.status, decline_code=decline_code)
    charge = intent.get("latest_charge")
    if payment.status == "succeeded" and isinstance(charge, dict) and charge.get("refunded"):
        return replace(payment, status="refunded")
    if payment.status not in LOOKED_UP:
        raise UnexpectedResponseError(f"status {payment.status!r}")
    return payment


def _payment(intent: dict[str, Any], config: StageConfig) -> Payment:
    try:
        payment = Payment(
            id=intent["id"],
            status=intent["status"],
            amount=intent["amount"],
            currency=intent["currency"],
            storage=int(intent["metadata"]["storage"]),
            created=intent["created"],
            client_secret=intent["client_secret"] if intent["status"] == "requires_action" else None,
        )
        livemode = intent["livemode"]
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponseError(f"{type(error).__name__}: {error}") from error
    texts, numbers = (payment.id, payment.status, payment.currency), (payment.amount, payment.created)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(number, int) for number in numbers):
        raise UnexpectedResponseError("a field of the wrong type")
    if livemode is not config.livemode:
        raise UnexpectedResponseError(f"livemode {livemode!r}")
    return payment
