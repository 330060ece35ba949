"""Charging through Stripe. The only module that talks to Stripe, and the only one that uses its key."""

import hashlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
import stripe
from requests.adapters import HTTPAdapter

from chalicelib.config import StageConfig
from chalicelib.parameter_store import Parameter, ParameterError, ParameterInvalid, Secret
from chalicelib.pricing import amount
from chalicelib.problems import Problem, invalid_request
from chalicelib.requests import Purchase

# Pinned, so that an answer keeps its form whatever the account's default version is (https://docs.stripe.com/api/versioning).
API_VERSION = "2026-10-28.endive"

# Seconds. An answer must be out within 25: reading the key takes up to 3, and an attempt begins only if its longest
# course, connecting and reading, ends before ANSWERED.
_CONNECT, _READ = 2.0, 8.0
_ANSWERED = 24.0
_ATTEMPTS = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0

_STATUSES = {"succeeded", "processing", "requires_action"}

# stripe-python logs each call at INFO, with the last four characters of a key that was refused.
logging.getLogger("stripe").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Payment:
    """A PaymentIntent as callers see it: ``amount`` in cents, ``created`` in Unix seconds."""

    id: str
    status: str
    amount: int
    currency: str
    storage: int
    created: int
    client_secret: str | None = None


class Payments:
    """Makes payments with the stage's key, over connections that are kept alive. Safe to use from many threads."""

    def __init__(self, config: StageConfig, key: Parameter) -> None:
        """No connection is opened yet.

        :param config: the stage's configuration.
        :param key: the parameter that holds Stripe's key, checked by :meth:`StageConfig.key_misfit`.
        """
        self._config = config
        self._key = key
        session = requests.Session()
        # One session for all threads: stripe-python's own default is one a thread, so one connection a thread.
        session.mount(config.stripe_api_base, HTTPAdapter(pool_maxsize=32))
        http_client = stripe.RequestsClient(timeout=(_CONNECT, _READ), session=session)
        # The key goes with each call, since it may be replaced between two.
        self._stripe = stripe.StripeClient(
            "none",
            http_client=http_client,
            stripe_version=API_VERSION,
            base_addresses={"api": config.stripe_api_base},
            max_network_retries=0,
        )

    def charge(self, purchase: Purchase, caller: str) -> Payment:
        """Charge for storing notes, once for a caller and key, however often and wherever this is repeated.

        :param purchase: what is bought, and what pays.
        :param caller: who pays; the idempotency key is this caller's.
        :return: the payment: ``succeeded``, ``processing`` or ``requires_action``.
        :raises Problem: every other outcome (docs/http-api.md).
        """
        params = self._params(purchase, caller)
        key = scoped_key(self._config.stage, caller, purchase.idempotency_key)

        def create(secret: Secret) -> Any:
            return self._stripe.v1.payment_intents.create(params, {"idempotency_key": key, "api_key": secret.reveal()})

        return self._attempts(create, purchase)

    def _params(self, purchase: Purchase, caller: str) -> Any:
        """Return the PaymentIntent's parameters (https://docs.stripe.com/api/payment_intents/create).

        They depend on the purchase and caller alone: Stripe compares them when a key is used again.
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

    def _attempts(self, create: Callable[[Secret], Any], purchase: Purchase) -> Payment:
        """Call Stripe until there is an answer to give. A repeat is safe: it carries the same idempotency key."""
        answered = time.monotonic() + _ANSWERED
        secret = self._secret(self._key.get)
        pause = _FIRST_PAUSE
        unsure: list[Exception] = []
        for attempt in range(1, _ATTEMPTS + 1):
            wait = 0.0
            try:
                return _payment(create(secret), purchase)
            except (stripe.AuthenticationError, stripe.PermissionError) as error:
                problem = Problem("stripe_key_rejected", _NOTHING_CHARGED, cause=str(error))
                refused, secret = secret, self._renewed(secret, unsure, purchase)
                if secret == refused:
                    raise _unless_unsure(problem, unsure, purchase) from error
            except Exception as error:
                problem = problem_of(error, purchase)
                if not _worth_repeating(error):
                    raise _unless_unsure(problem, unsure, purchase) from error
                unsure.append(error)
                wait, pause = random.uniform(0, pause), min(2 * pause, _LONGEST_PAUSE)
            if attempt == _ATTEMPTS or time.monotonic() + wait + _CONNECT + _READ > answered:
                break
            time.sleep(wait)
        raise _unless_unsure(problem, unsure, purchase) from (unsure[-1] if unsure else None)

    def _renewed(self, refused: Secret, unsure: list[Exception], purchase: Purchase) -> Secret:
        try:
            return self._secret(lambda: self._key.renew(refused))
        except Problem as problem:
            raise _unless_unsure(problem, unsure, purchase) from problem

    def _secret(self, read: Callable[[], Secret]) -> Secret:
        try:
            return read()
        except ParameterInvalid as error:
            raise Problem("stripe_key_rejected", _NOTHING_CHARGED, cause=str(error)) from error
        except ParameterError as error:
            raise Problem("stripe_key_unavailable", _NOTHING_CHARGED, retry_after=5, cause=str(error)) from error


def scoped_key(stage: str, caller: str, idempotency_key: str) -> str:
    """Return the Idempotency-Key that Stripe gets: two callers, or two stages, with the same key do not meet."""
    scope = "\0".join((stage, caller, idempotency_key))  # none of the three can hold a NUL
    return f"notes-billing-{hashlib.sha256(scope.encode()).hexdigest()}"


def problem_of(error: Exception, purchase: Purchase) -> Problem:
    """Return the answer for what a call to Stripe raised (https://docs.stripe.com/api/errors).

    :param error: what stripe-python raised, or what its answer made go wrong here.
    :param purchase: the purchase that was being made.
    """
    cause = f"{type(error).__name__}: {error}"
    if isinstance(error, stripe.CardError):
        return _card_problem(error)
    if isinstance(error, stripe.RateLimitError):
        seconds = str((error.headers or {}).get("retry-after", ""))
        retry_after = min(int(seconds), 60) if seconds.isdigit() else 2
        return Problem("rate_limited", "Try again in a moment.", retry_after=retry_after, cause=cause)
    if isinstance(error, stripe.IdempotencyError) and error.http_status != 409:
        detail = "This Idempotency-Key was used with another body. Use a new key for a new payment."
        return Problem("idempotency_key_reused", detail)
    if isinstance(error, stripe.StripeError) and error.http_status == 409:
        detail = "Another request with this Idempotency-Key is still running. Repeat this one in a moment."
        return Problem("idempotency_key_in_use", detail, retry_after=1)
    if isinstance(error, stripe.InvalidRequestError) and _is_about_token(error):
        return invalid_request((purchase.paid_by, "is not known to Stripe, or can't be used (again)"))
    if _timed_out(error):
        return _outcome_unknown(purchase, cause)
    detail = f"No payment is known to have been made. {_repeat(purchase)}"
    return Problem("payment_provider_error", detail, idempotency_key=purchase.idempotency_key, cause=cause)


_NOTHING_CHARGED = "Nothing was charged. This has been reported; try again later."


def _repeat(purchase: Purchase) -> str:
    key = purchase.idempotency_key
    return f"Repeat the same request with the header Idempotency-Key: {key} - the card is charged once at most."


def _outcome_unknown(purchase: Purchase, cause: str) -> Problem:
    detail = f"It is not known yet whether the card was charged. {_repeat(purchase)}"
    return Problem("outcome_unknown", detail, idempotency_key=purchase.idempotency_key, cause=cause)


def _unless_unsure(problem: Problem, unsure: list[Exception], purchase: Purchase) -> Problem:
    """Return the problem, unless it would say more than is known: an earlier attempt may have charged the card."""
    if problem.kind in ("card_error", "invalid_request", "idempotency_key_reused"):
        return problem  # Stripe's final word on this key
    if any(_timed_out(error) for error in unsure):
        return _outcome_unknown(purchase, problem.cause)
    if unsure and problem.kind.startswith("stripe_key"):
        return problem_of(unsure[-1], purchase)
    return problem


def _card_problem(error: stripe.CardError) -> Problem:
    details = error.error
    intent = getattr(details, "payment_intent", None)
    return Problem(
        "card_error",
        str(error.user_message or "The card was declined."),
        code=error.code or "card_declined",
        decline_code=getattr(details, "decline_code", None),
        payment_id=getattr(intent, "id", None),
    )


def _is_about_token(error: stripe.InvalidRequestError) -> bool:
    about = ("payment_method", "confirmation_token", "source")
    return error.code == "token_already_used" or str(error.param or "").startswith(about)


def _timed_out(error: Exception) -> bool:
    return isinstance(error, stripe.APIConnectionError) and isinstance(error.__cause__, requests.exceptions.ReadTimeout)


def _worth_repeating(error: Exception) -> bool:
    if isinstance(error, stripe.APIConnectionError):
        return error.should_retry
    if isinstance(error, _NotAPayment):
        return True
    if not isinstance(error, stripe.StripeError):
        return False
    advice = (error.headers or {}).get(
        "stripe-should-retry"
    )  # Stripe knows best (https://docs.stripe.com/error-low-level)
    status = error.http_status or 0
    return advice == "true" or (advice != "false" and (status == 409 or status >= 500 or 200 <= status < 300))


class _NotAPayment(Exception):
    """Stripe answered 200 with something that is not the PaymentIntent asked for."""


def _payment(intent: Any, purchase: Purchase) -> Payment:
    try:
        payment = Payment(
            id=intent.id,
            status=intent.status,
            amount=intent.amount,
            currency=intent.currency,
            storage=purchase.storage,
            created=intent.created,
            client_secret=intent.client_secret if intent.status == "requires_action" else None,
        )
    except AttributeError as error:
        raise _NotAPayment(str(error)) from error
    if payment.status not in _STATUSES or payment.amount != amount(purchase.storage):
        raise _NotAPayment(f"status {payment.status!r}, amount {payment.amount!r}")
    return payment
