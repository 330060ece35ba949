"""Errors of calls to Stripe: which of them a retry may fix, and which reject the key."""

from chalicelib.stripe_client.sdk_without_asyncio import stripe

# Stripe does not accept the key, or the restricted key lacks a permission.
KEY_REJECTED = (stripe.AuthenticationError, stripe.PermissionError)


class UnexpectedResponseError(Exception):
    """Stripe responded with 200 and something that is not the object asked for."""


class StripeCallError(Exception):
    """A call failed. ``failures``: what each attempt raised, the last one last."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__(str(failures[-1]))
        self.failures = failures


def is_retryable(error: Exception) -> bool:
    """Return whether the same call, with the same idempotency key, may have another outcome.

    Stripe's own advice comes first (header Stripe-Should-Retry, https://docs.stripe.com/error-low-level).
    """
    if isinstance(error, stripe.APIConnectionError):
        return error.should_retry
    if isinstance(error, UnexpectedResponseError):
        return True
    if not isinstance(error, stripe.StripeError):
        return False
    advice = (error.headers or {}).get("stripe-should-retry")
    status = error.http_status or 0
    return advice == "true" or (advice != "false" and (status == 409 or status >= 500 or 200 <= status < 300))


def is_conflict(error: Exception) -> bool:
    """Return whether another request with the same idempotency key is still running at Stripe."""
    return isinstance(error, stripe.StripeError) and error.http_status == 409
