"""Stripe's webhooks: a raw body and its signature -> the event, or a Problem."""

import json
import time
from typing import Any, TypedDict

from chalicelib.aws.secret import Secret, SecretError, SecretValue
from chalicelib.problems import Problem
from chalicelib.stripe_client.sdk_without_asyncio import stripe

# Stripe's events are some kilobytes; what is larger is not hashed.
MAX_BODY_BYTES = 512 * 1024
# Seconds (https://docs.stripe.com/webhooks/signature: replay attacks).
TOLERANCE = 300


class Receipt(TypedDict):
    """What Stripe is told of an event that was taken: the purchase event that was published, or None for none."""

    announced: str | None


def verify_webhook(body: bytes, header: str | None, secret: Secret) -> dict[str, Any]:
    """Verify a webhook and return its event, taken from the verified body.

    Where no signature verifies, the secret may have been rolled: it is read again, at most once in 30 s, so that forged
    webhooks never become a storm of reads.

    :param body: the raw body.
    :param header: ``Stripe-Signature``: ``t=…,v1=…``, with two ``v1`` while a secret is being rolled.
    :param secret: the parameter with the stage's signing secret.
    :raises Problem: ``body_too_large``; ``signature_invalid``, also for what is stale, or signed and not an event;
        ``webhook_secret_unavailable``.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Problem("body_too_large", f"The body has {len(body)} bytes; at most {MAX_BODY_BYTES} are read.")
    _refuse_stale(header)
    try:
        asked_at = time.monotonic()
        current = secret.get()
        if not _verifies(body, header, current):
            renewed = secret.refresh(current, asked_at)
            if renewed == current or not _verifies(body, header, renewed):
                raise _invalid("no signature is of this body and this stage's secret")
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


def _refuse_stale(header: str | None) -> None:
    """Refuse what no secret could verify, before a secret is asked for."""
    header = header or ""
    stamps = [part[2:] for part in header.split(",") if part.startswith("t=")]
    if not header.isascii() or len(stamps) != 1 or not (stamps[0].isdigit() and len(stamps[0]) < 12):
        raise _invalid("there is no header Stripe-Signature with a time and a signature")
    if abs(time.time() - int(stamps[0])) > TOLERANCE:
        raise _invalid(f"the signature is older than {TOLERANCE} s")


def _verifies(body: bytes, header: str | None, secret: SecretValue) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret.reveal(), TOLERANCE))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def _invalid(why: str) -> Problem:
    return Problem("signature_invalid", f"This is not taken for a webhook of Stripe: {why}.", cause=why)
