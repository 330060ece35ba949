"""Errors of calls to Stripe: which of them a retry may fix, and which reject the key."""

from chalicelib.stripe_client.sdk_without_asyncio import stripe

KEY_REJECTED = (stripe.AuthenticationError, stripe.PermissionError)


class UnexpectedResponseError(Exception):
    """Stripe answered 200 with something that is not the PaymentIntent asked for."""


def is_retryable(error: Exception) -> bool:
    """Say whether the same call, with the same idempotency key, may have another outcome."""
    if isinstance(error, stripe.APIConnectionError):
        return error.should_retry
    if isinstance(error, UnexpectedResponseError):
        return True
    if not isinstance(error, stripe.StripeError):
        return False
    advice = (error.headers or {}).get("stripe-should-retry")  # https://docs.stripe.com/error-low-level
    status = error.http_status or 0
    return advice == "true" or (advice != "false" and (status == 409 or status >= 500 or 200 <= status < 300))


def is_conflict(error: Exception) -> bool:
    """Return whether another request with the same idempotency key is still running at Stripe."""
    return isinstance(error, stripe.StripeError) and error.http_status == 409
