"""Charges cards and retrieves payments, through Stripe's PaymentIntents."""

import hashlib
import re
from typing import Any, NamedTuple

from chalicelib.billing.charge_problems import charge_problem, payment_not_found, retrieval_problem
from chalicelib.billing.pricing import calculate_amount
from chalicelib.billing.purchase_request import PurchaseRequest
from chalicelib.config import StageConfig
from chalicelib.stripe_client.api import StripeApi
from chalicelib.stripe_client.errors import StripeCallError, UnexpectedResponseError
from chalicelib.telemetry import Telemetry

_INTENTS = "/v1/payment_intents"

PAYMENT_ID = "pi_[A-Za-z0-9_]{1,250}"
# The statuses of a payment: when it is created, and when it is retrieved.
CHARGED = ("succeeded", "processing", "requires_action")
RETRIEVED = (*CHARGED, "failed", "refunded")


class Payment(NamedTuple):
    """A PaymentIntent as callers see it: ``amount`` in cents, ``created`` in Unix seconds.

    ``status``: succeeded, processing or requires_action; for a retrieved payment also failed or refunded.
    ``client_secret``: only with requires_action. ``code``, ``decline_code``: Stripe's, only with failed.
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

    def to_json(self) -> dict[str, Any]:
        """Return the members that have a value."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Payments:
    """Creates and retrieves the payments of one stage. Safe to use from many threads."""

    def __init__(self, config: StageConfig, stripe_api: StripeApi, telemetry: Telemetry) -> None:
        """:param telemetry: gets what a request's log line reports of a payment."""
        self._config = config
        self._stripe = stripe_api
        self._telemetry = telemetry

    def charge(self, purchase: PurchaseRequest, caller: str) -> Payment:
        """Charge for storing notes: once per caller and idempotency key, however often it is repeated within 24 h.

        :param caller: who pays. The idempotency key is this caller's.
        :return: the payment: ``succeeded``, ``processing`` or ``requires_action``.
        :raises Problem: every other outcome (docs/http-api.md).
        """
        key_hash = hashlib.sha256(purchase.idempotency_key.encode()).hexdigest()[:16]
        self._telemetry.note(idempotency_key_hash=key_hash)
        try:
            payment = self._stripe.request(
                "post",
                _INTENTS,
                lambda intent: _charged(intent, purchase, self._config),
                idempotency_key=scoped_key(self._config.stage, caller, purchase.idempotency_key),
                **_charge_params(purchase, caller, self._config),
            )
        except StripeCallError as error:
            raise charge_problem(error.failures, purchase) from error.failures[-1]
        self._telemetry.note(payment_id=payment.id, payment_status=payment.status)
        return payment

    def retrieve(self, payment_id: str, caller: str) -> Payment:
        """Retrieve a payment's status.

        :param payment_id: a PaymentIntent's id.
        :param caller: who asks. Only the payer gets an answer.
        :raises Problem: ``not_found``, whether there is no such payment or it is another caller's;
            ``payment_provider_error``, ``rate_limited``, ``stripe_key_unavailable`` or ``stripe_key_rejected``.
        """
        if not re.fullmatch(PAYMENT_ID, payment_id):
            raise payment_not_found()
        try:
            payment = self._stripe.request(
                "get",
                f"{_INTENTS}/{payment_id}",
                lambda intent: _retrieved(intent, payment_id, caller, self._config),
                expand=["latest_charge"],
            )
        except StripeCallError as error:
            raise retrieval_problem(error.failures) from error.failures[-1]
        if payment is None:
            raise payment_not_found()
        self._telemetry.note(payment_id=payment.id, payment_status=payment.status)
        return payment


def scoped_key(stage: str, caller: str, idempotency_key: str) -> str:
    """Return the Idempotency-Key that Stripe receives: it differs for two callers, or two stages, with the same key."""
    scope = "\0".join((stage, caller, idempotency_key))  # none of the three can contain a NUL
    return f"notes-billing-{hashlib.sha256(scope.encode()).hexdigest()}"


def _charge_params(purchase: PurchaseRequest, caller: str, config: StageConfig) -> dict[str, Any]:
    """Return the PaymentIntent's parameters (https://docs.stripe.com/api/payment_intents/create).

    They depend only on purchase, caller and stage, since Stripe compares them when a key is repeated.
    """
    source: dict[str, Any] = {purchase.payment_field: purchase.token}
    if purchase.payment_field == "source":
        # Stripe is ending Card and Source objects; as payment_method_data a token takes the same path as the others.
        source = {"payment_method_data": {"type": "card", "card": {"token": purchase.token}}}
    return {
        "amount": calculate_amount(purchase.storage),
        "currency": config.currency,
        "confirm": True,
        # No redirects: the customer is authenticated in the page, by Stripe.js' handleNextAction.
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "use_stripe_sdk": True,
        "description": "Scratch charge",
        "metadata": {"storage": str(purchase.storage), "stage": config.stage, "caller": caller},
        **source,
    }


def _charged(intent: dict[str, Any], purchase: PurchaseRequest, config: StageConfig) -> Payment:
    """Convert the PaymentIntent that a charge created.

    :raises UnexpectedResponseError: it does not match the request.
    """
    payment = _payment(intent, config)
    if payment.status not in CHARGED or payment.amount != calculate_amount(purchase.storage):
        raise UnexpectedResponseError(f"status {payment.status!r}, amount {payment.amount!r}")
    return payment


def _retrieved(intent: dict[str, Any], payment_id: str, caller: str, config: StageConfig) -> Payment | None:
    """Convert a PaymentIntent with its latest charge expanded; None if it is another caller's or another stage's.

    :raises UnexpectedResponseError: it is not the payment asked for.
    """
    if intent.get("id") != payment_id:
        raise UnexpectedResponseError("another object than the one asked for")
    metadata = intent.get("metadata")
    owner = (metadata.get("caller"), metadata.get("stage")) if isinstance(metadata, dict) else None
    if owner != (caller, config.stage):
        return None
    payment = _payment(intent, config)
    if payment.status in ("requires_payment_method", "canceled"):
        error = intent.get("last_payment_error")
        code, decline_code = (error.get("code"), error.get("decline_code")) if isinstance(error, dict) else (None, None)
        return payment._replace(status="failed", code=code or payment.status, decline_code=decline_code)
    charge = intent.get("latest_charge")
    if payment.status == "succeeded" and isinstance(charge, dict) and charge.get("refunded"):
        return payment._replace(status="refunded")
    if payment.status not in RETRIEVED:
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
