"""Verifies Stripe's webhooks: a raw body and its signature become an event, or a Problem."""

import json
import time
from typing import Any, TypedDict

from chalicelib.aws.secret import Secret, SecretError, SecretValue
from chalicelib.problems import Problem
from chalicelib.stripe_client.sdk_without_asyncio import stripe

# Stripe's events have some kilobytes. A larger body is not hashed.
MAX_BODY_BYTES = 512 * 1024
# Seconds (https://docs.stripe.com/webhooks/signature: replay attacks).
TOLERANCE = 300


class Receipt(TypedDict):
    """The response to an accepted event: the name of the purchase event that was published, or None."""

    announced: str | None


def verify_webhook(body: bytes, header: str | None, secret: Secret) -> dict[str, Any]:
    """Verify a webhook and return its event, parsed from the verified body.

    If no signature verifies, the signing secret may have been rolled: it is refreshed, at most once in 30 s, so that
    forged webhooks cannot cause a storm of reads.

    :param body: the raw body.
    :param header: ``Stripe-Signature``: ``t=…,v1=…``, with two ``v1`` while a secret is being rolled.
    :param secret: the stage's signing secret.
    :raises Problem: ``body_too_large``; ``signature_invalid``, also for a stale signature and for a signed body that is
        no event; ``webhook_secret_unavailable``.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Problem("body_too_large", f"The body has {len(body)} bytes; the limit is {MAX_BODY_BYTES}.")
    _reject_stale(header)
    try:
        requested_at = time.monotonic()
        current = secret.get()
        if not _is_signed(body, header, current):
            refreshed = secret.refresh(current, requested_at)
            if refreshed == current or not _is_signed(body, header, refreshed):
                raise _invalid("no signature matches the body and this stage's signing secret")
    except SecretError as error:
        detail = "The stage's signing secret could not be read. Send the event again."
        raise Problem("webhook_secret_unavailable", detail, retry_after=5, cause=str(error)) from error
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid("the body is not JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise _invalid("the body is not an event")
    return event


def _reject_stale(header: str | None) -> None:
    """Reject what no secret could verify, before the secret is read."""
    header = header or ""
    timestamps = [part[2:] for part in header.split(",") if part.startswith("t=")]
    if not header.isascii() or len(timestamps) != 1 or not (timestamps[0].isdigit() and len(timestamps[0]) < 12):
        raise _invalid("there is no header Stripe-Signature with a time and a signature")
    if abs(time.time() - int(timestamps[0])) > TOLERANCE:
        raise _invalid(f"the signature is older than {TOLERANCE} s")


def _is_signed(body: bytes, header: str | None, secret: SecretValue) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret.reveal(), TOLERANCE))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def _invalid(reason: str) -> Problem:
    return Problem("signature_invalid", f"The webhook was rejected: {reason}.", cause=reason)
