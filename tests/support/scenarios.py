"""How to provoke every response that openapi.yaml describes, over real HTTP or in a Lambda container."""

import contextlib
import json
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from devstack.aws_emulator import AwsFault
from devstack.stripe.webhook_delivery import signature
from tests.support.cloud import Cloud
from tests.support.contract import PATHS
from tests.support.lambda_container import Container, billing_event
from tests.support.stack import Api, Stack

Json = dict[str, Any]
ALWAYS = 1000
# Request bodies, by the name of their example in openapi.yaml.
PURCHASES, EVENTS = (
    {name: example["value"] for name, example in body["content"]["application/json"]["examples"].items()}
    for body in (PATHS[path]["post"]["requestBody"] for path in ("/billing", "/stripe/webhook"))
)
CARD = PURCHASES["payment_method"]


class Services:
    """The API, an API that has not read its secrets yet, and a container for requests that only Lambda receives."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.webhook_secret = "whsec_" + secrets.token_hex(16)
        stack.keys.append(self.webhook_secret)
        self._open = contextlib.ExitStack()
        self.prepare()
        self.api = self._open.enter_context(Api(stack))
        self.without_secrets = self._open.enter_context(Api(stack))
        self.container = self._open.enter_context(Container(stack))

    def prepare(self) -> None:
        """Create the parameter and the topic again after the stack was reset."""
        self.stack.aws.put_secret("/stripeWebhookSecret/dev", self.webhook_secret)
        self.stack.aws.client("sns").create_topic(Name="NotePurchased-dev")

    def close(self) -> None:
        self._open.close()

    def inject_stripe_fault(self, fault: Json) -> None:
        if fault:
            self.stack.stripe.faults.add(count=ALWAYS, match="/v1/payment_intents", **fault)

    def denied(self) -> Api:
        """Return an API whose reads of Parameter Store are denied."""
        self.stack.aws.fail(AwsFault("GetParameter", ALWAYS, error="AccessDeniedException"))
        return self.without_secrets

    def send_event(self, event: Json, api: Api | None = None) -> Any:
        """Send a signed event, as Stripe does."""
        body = json.dumps(event).encode()
        signed = signature(body, int(time.time()), [self.webhook_secret])
        return (api or self.api).post(body, "/stripe/webhook", Stripe_Signature=signed)

    def invoke(self, **changes: Any) -> Any:
        """Invoke the container with an event of `POST /billing` and these changes."""
        event = billing_event(CARD)
        event["requestContext"] |= changes.pop("requestContext", {})
        return self.container.invoke(event | changes)


class Case(NamedTuple):
    """How to provoke a response of a route, which is a method and a path.

    ``example``: the name of the response's example in openapi.yaml; of a problem it is the code. ``variant`` tells the
    cases of one example apart.
    """

    route: str
    status: int
    example: str
    provoke: Callable[[Services], Any]
    variant: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.route, self.example, self.variant)))


def _charge(code: int, example: str, purchase: str | Json = "payment_method", **fault: Any) -> Case:
    body, variant = (PURCHASES[purchase], purchase) if isinstance(purchase, str) else (purchase, "")

    def provoke(services: Services) -> Any:
        services.inject_stripe_fault(fault)
        return services.api.post(body)

    return Case(CHARGE, code, example, provoke, variant)


def _retrieve(
    code: int,
    example: str,
    purchase: str = "payment_method",
    between: Callable[[Stack, str], object] = lambda *_: None,
    **fault: Any,
) -> Case:
    """Make a payment, call ``between`` with its id, and retrieve it."""

    def provoke(services: Services) -> Any:
        payment = services.api.post(PURCHASES[purchase]).json()
        payment_id = payment.get("payment_id") or payment["id"]
        between(services.stack, payment_id)
        services.inject_stripe_fault(fault)
        return services.api.get(f"/billing/{payment_id}")

    return Case(RETRIEVE, code, example, provoke)


def _reuse_key(services: Services) -> Any:
    key = str(uuid.uuid4())
    services.api.post({**CARD, "storage": 1}, Idempotency_Key=key)
    return services.api.post(CARD, Idempotency_Key=key)


def _send_without_topic_access(services: Services) -> Any:
    services.stack.aws.fail(AwsFault("Publish", ALWAYS, error="AuthorizationErrorException", status=403))
    return services.send_event(EVENTS["announced"])


def _not_json(route: str, path: str) -> Case:
    call = {"method": route.partition(" ")[0], "path": path, "headers": {"Content-Type": "text/plain"}}
    return Case(route, 415, "unsupported_media_type", lambda services: services.api.request(**call))


CHARGE, RETRIEVE = "POST /billing", "GET /billing/{payment_id}"
QUOTE, WEBHOOK, HEALTH = "GET /billing/quote", "POST /stripe/webhook", "GET /health"
_INVALID = {"storage": 0, "source": "pm_card_visa", "currency": "eur"}

CASES = [
    _charge(200, "succeeded"),
    _charge(200, "succeeded", "confirmation_token"),
    _charge(200, "succeeded", "source"),
    _charge(200, "processing", "processing"),
    _charge(200, "requires_action", "requires_action"),
    _charge(400, "invalid_request", _INVALID),
    _charge(402, "card_declined", "card_declined"),
    _charge(402, "expired_card", {"payment_method": "pm_card_chargeDeclinedExpiredCard", "storage": 21}),
    _charge(402, "incorrect_cvc", {"payment_method": "pm_card_chargeDeclinedIncorrectCvc", "storage": 21}),
    Case(CHARGE, 403, "caller_unknown", lambda services: services.invoke(requestContext={"identity": {}})),
    _charge(409, "idempotency_key_in_use", status=409),
    Case(CHARGE, 409, "idempotency_key_reused", _reuse_key),
    Case(CHARGE, 413, "body_too_large", lambda services: services.api.post(b" " * 17_000)),
    _not_json(CHARGE, "/billing"),
    _charge(429, "rate_limited", status=429),
    # No event of API Gateway: its body is not text.
    Case(CHARGE, 500, "internal_error", lambda services: services.invoke(body=[])),
    _charge(502, "payment_provider_error", status=500),
    _charge(503, "stripe_key_rejected", status=401),
    Case(CHARGE, 503, "stripe_key_unavailable", lambda services: services.denied().post(CARD)),

    _retrieve(200, "succeeded"),
    _retrieve(200, "processing", "processing"),
    _retrieve(200, "requires_action", "requires_action"),
    _retrieve(200, "failed", "requires_action", lambda stack, payment: stack.stripe.authenticate(payment, "fail")),
    _retrieve(200, "declined", "card_declined"),
    _retrieve(200, "canceled", "requires_action",
              lambda stack, payment: stack.client().v1.payment_intents.cancel(payment)),
    _retrieve(200, "refunded",
              between=lambda stack, payment: stack.client().v1.refunds.create({"payment_intent": payment})),
    Case(RETRIEVE, 403, "caller_unknown", lambda services: services.invoke(
        httpMethod="GET", pathParameters={"payment_id": "pi_1"},
        requestContext={"identity": {}, "httpMethod": "GET", "resourcePath": "/billing/{payment_id}"})),
    Case(RETRIEVE, 404, "not_found", lambda services: services.api.get("/billing/pi_3OfAnotherCaller")),
    _not_json(RETRIEVE, "/billing/pi_1"),
    _retrieve(429, "rate_limited", status=429),
    # No event of API Gateway: it lacks the path parameter.
    Case(RETRIEVE, 500, "internal_error", lambda services: services.invoke(
        requestContext={"httpMethod": "GET", "resourcePath": "/billing/{payment_id}"})),
    _retrieve(502, "payment_provider_error", status=500),
    _retrieve(503, "stripe_key_rejected", status=401),
    Case(RETRIEVE, 503, "stripe_key_unavailable", lambda services: services.denied().get("/billing/pi_1")),

    Case(QUOTE, 200, "price", lambda services: services.api.get("/billing/quote?storage=21")),
    Case(QUOTE, 400, "invalid_request", lambda services: services.api.get("/billing/quote?storage=0")),
    _not_json(QUOTE, "/billing/quote?storage=1"),

    Case(WEBHOOK, 200, "announced", lambda services: services.send_event(EVENTS["announced"])),
    Case(WEBHOOK, 200, "ignored",
         lambda services: services.send_event({**EVENTS["announced"], "type": "charge.succeeded"})),
    Case(WEBHOOK, 400, "signature_invalid", lambda services: services.api.post(
        {}, "/stripe/webhook", Stripe_Signature=f"t={int(time.time())},v1=00")),
    Case(WEBHOOK, 400, "invalid_request", lambda services: services.invoke(  # not base64
        body="a", isBase64Encoded=True, requestContext={"resourcePath": "/stripe/webhook"})),
    Case(WEBHOOK, 413, "body_too_large", lambda services: services.api.post(
        b" " * 600_000, "/stripe/webhook", Stripe_Signature="t=1,v1=00")),
    _not_json(WEBHOOK, "/stripe/webhook"),
    Case(WEBHOOK, 500, "internal_error", lambda services: services.invoke(
        body=[], requestContext={"resourcePath": "/stripe/webhook"})),
    Case(WEBHOOK, 503, "announcement_failed", _send_without_topic_access),
    Case(WEBHOOK, 503, "webhook_secret_unavailable", lambda services: services.send_event({}, services.denied())),

    Case(HEALTH, 200, "ok", lambda services: services.api.get("/health")),
    _not_json(HEALTH, "/health"),
]  # fmt: skip

# (route, status, code) of responses that other tests provoke, or that no request provokes.
OTHERWISE = {
    (CHARGE, 504, "outcome_unknown"),  # test_upstream_faults.test_stripe_hangs_and_recovers: takes 16 s
    (QUOTE, 500, "internal_error"),  # the component that the other routes refer to as well
    (HEALTH, 500, "internal_error"),
}

# What API Gateway rejects before it calls the app: routes with a path, and the examples of the response.
SIGNED_PATHS = {CHARGE: "/billing", RETRIEVE: "/billing/pi_3OfAnotherCaller"}
REJECTED = ("not_signed", "not_allowed")


def request_rejected(cloud: Cloud, url: str, route: str, example: str) -> Any:
    """Make a request that API Gateway rejects, to a deployed stage: one without a signature, or not allowed by IAM."""
    method = route.partition(" ")[0]
    signed_by = cloud.account() if example == "not_allowed" else None
    return cloud.request(method, url + SIGNED_PATHS[route], signed_by, json=CARD if method == "POST" else None)
