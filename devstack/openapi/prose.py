"""What people are told of the API, and what its code does not say in a form that can be read from it."""

from dataclasses import dataclass

from chalicelib import payments, pricing, requests, webhooks

API = f"""\
Charges cards through Stripe for storing notes. JSON in, JSON out. Amounts are integers in cents. Ids are Stripe's.

**Repeat with the same key.** Send the header `Idempotency-Key` with `POST /billing`, and repeat a request that failed
with the same one: a caller and key are charged once at most, for the 24 hours for which Stripe remembers a key.

**Errors** are `application/problem+json` (RFC 9457). Programs read `code`, people `detail`; `request_id` finds the
request in the logs. An address that is none of these is answered 404 `not_found`; deeper than four segments, by API
Gateway. `chalice local` answers a method that a path lacks with 405 `method_not_allowed`.

**What API Gateway refuses by itself** (no or a wrong signature, a method that a path lacks, too many requests) it
answers as `application/json` with a `message`. An answer is out within 25 s; API Gateway would cut at 29.

**Browsers** may call every path but `/stripe/webhook` from the stage's `CORS_ORIGIN`. No answer may be cached.

**Price**: the rate of the tier holds for every note. {
    ", ".join(f"{notes} cost {pricing.amount(notes)}" for notes in (10, 11, 100, 101))
}.
"""

SERVERS = [
    {"url": "http://127.0.0.1:8000", "description": "`make run` on this machine, without an account: nobody signs."},
    {
        "url": "https://{api}.execute-api.{region}.amazonaws.com/api",
        "description": "Deployed: `stagectl deploy` prints the address.",
        "variables": {
            "api": {"default": "abcdef1234", "description": "The REST API's id."},
            "region": {"default": "us-east-1", "description": "The stage's region."},
        },
    },
]

TAGS = {
    "payments": "What a client of the notes app calls.",
    "stripe": "What Stripe calls.",
    "service": "What whoever operates the service calls.",
    "preflight": "What browsers ask by themselves before they call from another origin.",
}

SIGV4 = (
    "AWS Signature Version 4 for the service `execute-api`, with the credentials of a Cognito identity, a role or a "
    "user who may `execute-api:Invoke` the path. A payment belongs to the caller who made it. `chalice local` checks "
    "no signature; every caller is `local`."
)


@dataclass(frozen=True)
class Operation:
    """What is said of a route and method.

    ``success``: what 200 means. ``problems``: kinds, beside those that every route can answer.
    """

    tag: str
    summary: str
    description: str
    success: str
    problems: tuple[str, ...] = ()


# Of any route: Chalice's, whatever the method, and a bug.
OF_ALL = ("unsupported_media_type", "internal_error")
_OF_STRIPE = ("rate_limited", "payment_provider_error", "stripe_key_unavailable", "stripe_key_rejected")

OPERATIONS = {
    "POST /billing": Operation(
        "payments",
        "Charge for storing notes",
        "Charges the card at once. With `requires_action`, pass `client_secret` to Stripe.js' `handleNextAction`, and "
        "look the payment up when that has ended.",
        "Charged, or on the way to it: see `status`.",
        ("invalid_request", "card_error", "caller_unknown", "idempotency_key_in_use", "idempotency_key_reused",
         "body_too_large", *_OF_STRIPE, "outcome_unknown"),
    ),
    "GET /billing/{payment_id}": Operation(
        "payments",
        "Look up what became of a payment",
        "Answers the payer alone. Another caller's payment, another stage's, and one that does not exist are the same "
        "404.",
        "The payment as it is now.",
        ("caller_unknown", "not_found", *_OF_STRIPE),
    ),
    "GET /billing/quote": Operation(
        "payments", "Ask for the price", "Charges nothing.", "The price.", ("invalid_request",)
    ),
    "POST /stripe/webhook": Operation(
        "stripe",
        "Take an event of Stripe",
        "Verified over the raw body with the stage's signing secret. Stripe calls again, for three days, until the "
        "answer is 2xx.",
        "Taken: published to the stage's topic, or of no use here.",
        ("signature_invalid", "invalid_request", "body_too_large", "webhook_secret_unavailable", "announcement_failed"),
    ),
    "GET /health": Operation(
        "service", "Ask whether the API is there", "Touches neither Stripe nor Parameter Store.", "It is there."
    ),
}  # fmt: skip

# By kind: when, and what to do.
PROBLEMS = {
    "invalid_request": "Body, header or query does not fit, or Stripe does not know what should pay. Mend what "
    "`errors` names.",
    "card_error": "The card said no; `code` is Stripe's, such as `card_declined` (then `decline_code` says more), "
    "`expired_card`, `incorrect_cvc`. Show `detail`, let the customer take another card, with a new key.",
    "signature_invalid": f"Forged, changed on the way, or signed more than {webhooks.TOLERANCE} s ago.",
    "caller_unknown": "Nobody signed the request. Sign it.",
    "not_found": "No such payment of this caller.",
    "method_not_allowed": "Not with this method; `Allow` has those that there are.",
    "idempotency_key_in_use": "The first request with this key is still running. Repeat after `Retry-After` seconds.",
    "idempotency_key_reused": "The key was used with another body. A new payment needs a new key.",
    "body_too_large": f"Over {requests.MAX_BODY_BYTES // 1024} KiB (a webhook: {webhooks.MAX_BODY_BYTES // 1024} KiB).",
    "unsupported_media_type": "Not `application/json`.",
    "rate_limited": "Stripe's limit. Repeat after `Retry-After` seconds.",
    "internal_error": "A bug; it is in the log. Repeat with the same key.",
    "payment_provider_error": "Stripe failed, retries included; no payment is known to have been made. Repeat with the "
    "same key.",
    "announcement_failed": "The event was not published. Stripe sends it again.",
    "stripe_key_rejected": "The stage's key does not fit, or Stripe refuses it. The operator must act; this request "
    "charged nothing.",
    "stripe_key_unavailable": "Parameter Store did not give the key; this request charged nothing. Repeat after "
    "`Retry-After` seconds.",
    "webhook_secret_unavailable": "Parameter Store did not give the signing secret. Stripe sends the event again.",
    "outcome_unknown": "Stripe did not answer in time: the card may have been charged. Repeat with the same key; never "
    "charge anew.",
}

# The kinds that say when to come back, and those of a charge that say with which key.
RETRY_AFTER = {
    "idempotency_key_in_use",
    "rate_limited",
    "stripe_key_unavailable",
    "webhook_secret_unavailable",
    "announcement_failed",
}
REPEATABLE = {"idempotency_key_in_use", *_OF_STRIPE, "outcome_unknown"}

HEADERS = {
    "Retry-After": "Seconds to wait before the request is repeated.",
    "Idempotency-Key": "The key to repeat the request with, also where the request had none.",
}

PARAMETERS = {
    "payment_id": ("The PaymentIntent's id, as `POST /billing` answered it.", payments.PAYMENT_ID),
    "storage": ("Notes to store.", requests.STORAGE_TEXT),
    "Idempotency-Key": (
        "One payment per caller and key. A UUID is good; make it once a purchase and keep it over a reload.",
        requests.IDEMPOTENCY_KEY,
    ),
    "Stripe-Signature": (
        "Stripe's: `t=…,v1=…`, with two `v1` while the secret is being rolled "
        "(https://docs.stripe.com/webhooks/signature).",
        "",
    ),
}

FIELDS = {
    "Payment": {
        "id": "The PaymentIntent's id.",
        "status": "`requires_action`: the customer must authenticate. `failed`, `refunded` (all of it): only of a "
        "payment that is looked up.",
        "amount": "Cents.",
        "currency": "ISO 4217, in lower case.",
        "storage": "Notes.",
        "created": "Unix seconds.",
        "client_secret": "With `requires_action` alone, for Stripe.js.",
        "code": "With `failed` alone: the card's, or `canceled`.",
        "decline_code": "With `failed` alone, where the card's issuer gave one.",
    },
    "Quote": {"storage": "Notes.", "amount": "Cents.", "currency": "ISO 4217, in lower case."},
    "Receipt": {"announced": "The event that was published; null for an event that means nothing here."},
    "Health": {"status": "Always `ok`.", "stage": "The stage's name.", "version": "The service's version."},
    "Problem": {
        "type": "Identifies the kind of problem; nothing is to be found there.",
        "title": "The kind of problem in a few words.",
        "status": "The HTTP status.",
        "detail": "One or two sentences that are safe to show a person.",
        "code": "For programs.",
        "request_id": "Finds the request in the logs.",
        "payment_id": "The payment that failed.",
        "decline_code": "Why the card's issuer declined, where it said so.",
        "errors": "Each bad field of the body, header or parameter of the query.",
    },
}
