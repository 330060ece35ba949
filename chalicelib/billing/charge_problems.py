"""Converts failures at Stripe, or on the way there, to the Problem that the caller receives."""

from chalicelib.aws.secret import SecretError, SecretInvalidError
from chalicelib.billing.purchase_request import PurchaseRequest
from chalicelib.problems import Problem, invalid_request
from chalicelib.stripe_client.errors import KEY_REJECTED, is_conflict
from chalicelib.stripe_client.sdk_without_asyncio import stripe
from chalicelib.stripe_client.transport import StripeTimeout

# The header Retry-After of stripe_key_unavailable, in seconds (docs/fleet.md).
KEY_RETRY_AFTER = 5


def charge_problem(failures: list[Exception], purchase: PurchaseRequest) -> Problem:
    """Return the problem of a charge that failed. If an earlier attempt may have charged the card, it says so.

    :param failures: what each attempt raised, the last one last. An earlier one may have charged the card.
    :param purchase: the request.
    """
    problem = _last_failure_problem(failures[-1], purchase)
    if problem.kind in ("card_error", "invalid_request", "idempotency_key_reused"):
        return problem  # Stripe stores this result for the idempotency key: earlier attempts do not matter
    uncertain = [error for error in failures[:-1] if not isinstance(error, KEY_REJECTED) and not is_conflict(error)]
    if any(isinstance(error, StripeTimeout) for error in uncertain):
        problem = _outcome_unknown(purchase, problem.cause)
    elif uncertain and problem.kind != "outcome_unknown":
        problem = _provider_error(uncertain[-1], purchase)
    problem.headers["Idempotency-Key"] = purchase.idempotency_key
    return problem


def retrieval_problem(failures: list[Exception]) -> Problem:
    """Return the problem of a payment that could not be retrieved.

    :param failures: what each attempt raised, the last one last.
    """
    error = failures[-1]
    if isinstance(error, stripe.InvalidRequestError) and error.http_status == 404:
        return payment_not_found()
    detail = "The payment's status could not be retrieved. Try again later."
    return _key_or_limit_problem(error, detail) or Problem("payment_provider_error", detail, cause=_cause(error))


def payment_not_found() -> Problem:
    """Return the same problem for a missing payment and for another caller's, which callers cannot test for."""
    return Problem("not_found", "You have no payment with this id. Check the id.")


def _last_failure_problem(error: Exception, purchase: PurchaseRequest) -> Problem:
    if isinstance(error, stripe.CardError):
        return _card_problem(error)
    if isinstance(error, stripe.IdempotencyError) and error.http_status != 409:
        detail = "This Idempotency-Key was used with another body. Use a new key for a new payment."
        return Problem("idempotency_key_reused", detail)
    if is_conflict(error):
        detail = "The first request with this Idempotency-Key is still running. Retry in a moment."
        return Problem("idempotency_key_in_use", detail, retry_after=1)
    if isinstance(error, stripe.InvalidRequestError) and _is_about_token(error):
        return invalid_request((purchase.payment_field, "is not known to Stripe, or was already used"))
    if isinstance(error, StripeTimeout):
        return _outcome_unknown(purchase, _cause(error))
    detail = "This request charged nothing. Retry later with the same Idempotency-Key."
    return _key_or_limit_problem(error, detail) or _provider_error(error, purchase)


def _key_or_limit_problem(error: Exception, detail: str) -> Problem | None:
    if isinstance(error, (SecretInvalidError, *KEY_REJECTED)):
        return Problem("stripe_key_rejected", detail, cause=_cause(error))
    if isinstance(error, SecretError):
        return Problem("stripe_key_unavailable", detail, retry_after=KEY_RETRY_AFTER, cause=_cause(error))
    if isinstance(error, stripe.RateLimitError):
        seconds = str((error.headers or {}).get("retry-after", ""))
        retry_after = max(1, min(int(seconds), 60)) if seconds.isascii() and seconds.isdigit() else 2
        return Problem(
            "rate_limited",
            "Retry in a moment.",
            retry_after=retry_after,
            cause=_cause(error),
        )
    return None


def _card_problem(error: stripe.CardError) -> Problem:
    intent = getattr(error.error, "payment_intent", None)
    return Problem(
        "card_error",
        str(error.user_message or "The card was declined."),
        code=error.code or "card_declined",
        decline_code=getattr(error.error, "decline_code", None),
        payment_id=getattr(intent, "id", None),
    )


def _provider_error(error: Exception, purchase: PurchaseRequest) -> Problem:
    detail = f"Stripe did not confirm a payment. {_retry_instruction(purchase)}"
    return Problem("payment_provider_error", detail, cause=_cause(error))


def _outcome_unknown(purchase: PurchaseRequest, cause: str) -> Problem:
    detail = f"It is not known yet whether the card was charged. {_retry_instruction(purchase)}"
    return Problem("outcome_unknown", detail, cause=cause)


def _retry_instruction(purchase: PurchaseRequest) -> str:
    key = purchase.idempotency_key
    return f"Repeat the same request with the header Idempotency-Key: {key} - the card is charged at most once."


def _cause(error: Exception) -> str:
    if isinstance(error, KEY_REJECTED):  # Stripe's message has the key's last four characters
        return f"{type(error).__name__}: {error.http_status}, {error.code or 'no code'}, {error.request_id or 'no id'}"
    return f"{type(error).__name__}: {error}"


def _is_about_token(error: stripe.InvalidRequestError) -> bool:
    fields = ("payment_method", "confirmation_token", "source")
    return error.code == "token_already_used" or str(error.param or "").startswith(fields)
