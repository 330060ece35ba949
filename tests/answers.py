"""Every answer that openapi.json describes, provoked; and recorded, for its examples: `python -m tests.answers`."""

import contextlib
import json
import re
import secrets
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.aws import AwsFault
from devstack.openapi.document import EXAMPLES
from devstack.stripe.webhook_delivery import signature
from tests.cloud import Cloud
from tests.cloud.deployments import Deployments
from tests.support import Api, Container, Stack, billing_event

Json = dict[str, Any]
ALWAYS = 1000
CARD = {"payment_method": "pm_card_visa", "storage": 21}


class Scene:
    """Who answers: the API; one that has not got its secrets yet; and a container, for what only Lambda can provoke."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.secret = "whsec_" + secrets.token_hex(16)
        stack.keys.append(self.secret)
        self._open = contextlib.ExitStack()
        self.prepare()
        self.api = self._open.enter_context(Api(stack))
        self.without_secrets = self._open.enter_context(Api(stack))
        self.container = self._open.enter_context(Container(stack))

    def prepare(self) -> None:
        """After the stack was reset."""
        self.stack.aws.put_secret("/stripeWebhookSecret/dev", self.secret)
        self.stack.aws.client("sns").create_topic(Name="NotePurchased-dev")

    def close(self) -> None:
        self._open.close()

    def stripe_fails(self, **fault: Any) -> None:
        self.stack.stripe.faults.add(count=ALWAYS, match="/v1/payment_intents", **fault)

    def buys(self, body: Json, **fault: Any) -> Any:
        if fault:
            self.stripe_fails(**fault)
        return self.api.post(body)

    def looks_up(self, body: Json, then: Callable[[str], object] = lambda _: None) -> Any:
        """Make a payment, let something happen to it, look it up."""
        payment_id = self.api.post(body).json()["id"]
        then(payment_id)
        return self.api.get(f"/billing/{payment_id}")

    def denied(self) -> Api:
        """The API whose reads of Parameter Store are denied."""
        self.stack.aws.fail(AwsFault("GetParameter", ALWAYS, error="AccessDeniedException"))
        return self.without_secrets

    def hook(self, event: Json, api: Api | None = None) -> Any:
        """Send an event as Stripe does."""
        body = json.dumps(event).encode()
        return (api or self.api).post(body, "/stripe/webhook", Stripe_Signature=self.signed(body))

    def signed(self, body: bytes) -> str:
        return signature(body, int(time.time()), [self.secret])

    def event(self, kind: str = "payment_intent.succeeded") -> Json:
        """What Stripe says of a purchase."""
        payment_id = self.api.post(CARD).json()["id"]
        return next(
            event for event in self.stack.stripe.events if event["type"] == kind and payment_id in json.dumps(event)
        )

    def invoked(self, **changes: Any) -> Any:
        """Invoke the container with an event of `POST /billing` that is changed."""
        event = billing_event(CARD)
        event["requestContext"] |= changes.pop("requestContext", {})
        return self.container.invoke(event | changes)


@dataclass(frozen=True)
class Case:
    """An answer of a route: how to provoke it, and for whom the example is."""

    route: str
    name: str
    summary: str
    ask: Callable[[Scene], Any]
    request: Json | None = None


def _purchase(name: str, summary: str, request: Json, **fault: Any) -> Case:
    return Case("POST /billing", name, summary, lambda scene: scene.buys(request, **fault), request)


def _looked_up(name: str, summary: str, body: Json, then: Callable[[Scene, str], object] = lambda *_: None) -> Case:
    def ask(scene: Scene) -> Any:
        return scene.looks_up(body, lambda payment_id: then(scene, payment_id))

    return Case("GET /billing/{payment_id}", name, summary, ask)


def _in_vain(name: str, summary: str, **fault: Any) -> Case:
    return _looked_up(name, summary, CARD, lambda scene, _: scene.stripe_fails(**fault))


def _reused(scene: Scene) -> Any:
    key = str(uuid.uuid4())
    scene.api.post({**CARD, "storage": 1}, Idempotency_Key=key)
    return scene.api.post(CARD, Idempotency_Key=key)


def _refunded(scene: Scene, payment_id: str) -> None:
    scene.stack.client().v1.refunds.create({"payment_intent": payment_id})


def _canceled(scene: Scene, payment_id: str) -> None:
    scene.stack.client().v1.payment_intents.cancel(payment_id)


def _not_published(scene: Scene) -> Any:
    event = scene.event()
    scene.stack.aws.fail(AwsFault("Publish", ALWAYS, error="AuthorizationErrorException", status=403))
    return scene.hook(event)


def _of_type(content_type: str, path: str) -> Callable[[Scene], Any]:
    return lambda scene: scene.api.post(CARD, path, Content_Type=content_type)


AUTHENTICATION = {"payment_method": "pm_card_authenticationRequired", "storage": 21}
PROCESSING = {"payment_method": "pm_card_processing", "storage": 21}
TEXT = {"Content-Type": "text/plain"}
QUOTE, HOOK, HEALTH = "GET /billing/quote", "POST /stripe/webhook", "GET /health"

CASES = [
    _purchase("succeeded", "Paid with a payment method", CARD),
    _purchase("confirmation_token", "Paid with a confirmation token",
              {"confirmation_token": "ctoken_visa", "storage": 21}),
    _purchase("source", "Paid with a token of createToken, from an HTML form", {"source": "tok_visa", "storage": "21"}),
    _purchase("processing", "The bank takes its time", PROCESSING),
    _purchase("requires_action", "The customer must authenticate (3-D Secure)", AUTHENTICATION),
    _purchase("invalid_request", "All bad fields are named",
              {"storage": 0, "source": "pm_card_visa", "currency": "eur"}),
    _purchase("unknown_to_stripe", "Stripe knows no such payment method", {"payment_method": "pm_gone", "storage": 21}),
    _purchase("card_declined", "Declined", {"payment_method": "pm_card_visa_chargeDeclined", "storage": 21}),
    _purchase("insufficient_funds", "Declined for lack of funds",
              {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds", "storage": 21}),
    _purchase("expired_card", "Expired", {"payment_method": "pm_card_chargeDeclinedExpiredCard", "storage": 21}),
    _purchase("incorrect_cvc", "Wrong CVC", {"payment_method": "pm_card_chargeDeclinedIncorrectCvc", "storage": 21}),
    Case("POST /billing", "caller_unknown", "Deployed without its authorizer",
         lambda scene: scene.invoked(requestContext={"identity": {}})),
    _purchase("idempotency_key_in_use", "The first request is still running", CARD, status=409),
    Case("POST /billing", "idempotency_key_reused", "The key was used for 1 note", _reused),
    Case("POST /billing", "body_too_large", "A body of 17,000 bytes", lambda scene: scene.api.post(b" " * 17_000)),
    Case("POST /billing", "unsupported_media_type", "A form",
         _of_type("application/x-www-form-urlencoded", "/billing")),
    _purchase("rate_limited", "Stripe answers 429", CARD, status=429),
    _purchase("payment_provider_error", "Stripe answers 500, four times", CARD, status=500),
    _purchase("stripe_key_rejected", "Stripe answers 401", CARD, status=401),
    Case("POST /billing", "stripe_key_unavailable", "The role may not read the key",
         lambda scene: scene.denied().post(CARD)),
    _purchase("outcome_unknown", "Stripe takes longer than there is time", CARD, delay_after=12),

    _looked_up("succeeded", "Paid", CARD),
    _looked_up("processing", "The bank takes its time", PROCESSING),
    _looked_up("requires_action", "The customer has not authenticated yet", AUTHENTICATION),
    _looked_up("failed", "The customer did not authenticate", AUTHENTICATION,
               lambda scene, payment_id: scene.stack.stripe.authenticate(payment_id, "fail")),
    _looked_up("canceled", "Canceled in Stripe's dashboard", AUTHENTICATION, _canceled),
    _looked_up("refunded", "Refunded, all of it", CARD, _refunded),
    Case("GET /billing/{payment_id}", "caller_unknown", "Deployed without its authorizer",
         lambda scene: scene.invoked(httpMethod="GET", pathParameters={"payment_id": "pi_1"}, requestContext={
             "identity": {}, "httpMethod": "GET", "resourcePath": "/billing/{payment_id}"})),
    Case("GET /billing/{payment_id}", "not_found", "No such payment of this caller",
         lambda scene: scene.api.get("/billing/pi_3SomebodyElses")),
    Case("GET /billing/{payment_id}", "internal_error", "A bug",  # no event of API Gateway's: it would name the payment
         lambda scene: scene.invoked(requestContext={"httpMethod": "GET", "resourcePath": "/billing/{payment_id}"})),
    _in_vain("rate_limited", "Stripe answers 429", status=429),
    _in_vain("payment_provider_error", "Stripe answers 500, four times", status=500),
    _in_vain("stripe_key_rejected", "Stripe answers 401", status=401),
    Case("GET /billing/{payment_id}", "stripe_key_unavailable", "The role may not read the key",
         lambda scene: scene.denied().get("/billing/pi_1")),
    Case("GET /billing/{payment_id}", "unsupported_media_type", "Not JSON, though there is no body",
         lambda scene: scene.api.get("/billing/pi_1", **TEXT)),

    Case(QUOTE, "price", "21 notes", lambda scene: scene.api.get("/billing/quote?storage=21")),
    Case(QUOTE, "invalid_request", "No notes", lambda scene: scene.api.get("/billing/quote?storage=0")),
    Case(QUOTE, "unsupported_media_type", "Not JSON, though there is no body",
         lambda scene: scene.api.get("/billing/quote?storage=1", **TEXT)),

    Case(HOOK, "announced", "A purchase", lambda scene: scene.hook(scene.event())),
    Case(HOOK, "of_no_use", "An event that means nothing here",
         lambda scene: scene.hook(scene.event("charge.succeeded"))),
    Case(HOOK, "signature_invalid", "Forged",
         lambda scene: scene.api.post({}, "/stripe/webhook", Stripe_Signature=f"t={int(time.time())},v1=00")),
    Case(HOOK, "invalid_request", "Not what its transfer encoding says", lambda scene: scene.invoked(
        body="a", isBase64Encoded=True, requestContext={"resourcePath": "/stripe/webhook"})),
    Case(HOOK, "body_too_large", "A body of 600,000 bytes",
         lambda scene: scene.api.post(b" " * 600_000, "/stripe/webhook", Stripe_Signature="t=1,v1=00")),
    Case(HOOK, "unsupported_media_type", "A form", _of_type("application/x-www-form-urlencoded", "/stripe/webhook")),
    Case(HOOK, "announcement_failed", "The role may not publish", _not_published),
    Case(HOOK, "webhook_secret_unavailable", "The role may not read the secret",
         lambda scene: scene.hook({}, scene.denied())),

    Case(HEALTH, "ok", "It is there", lambda scene: scene.api.get("/health")),
    Case(HEALTH, "unsupported_media_type", "Not JSON, though there is no body",
         lambda scene: scene.api.get("/health", **TEXT)),
]  # fmt: skip


# What API Gateway refuses by itself, at an address where the API is deployed.
SIGNED = {"POST /billing": "/billing", "GET /billing/{payment_id}": "/billing/pi_3SomebodyElses"}
REFUSED = {"not_signed": "Nobody signed", "not_allowed": "IAM does not allow the caller to call this"}


def refused(cloud: Cloud, url: str, route: str, name: str) -> Any:
    """Make a request that API Gateway refuses."""
    method = route.partition(" ")[0]
    signed_by = cloud.account() if name == "not_allowed" else None
    return cloud.request(method, url + SIGNED[route], signed_by, json=CARD if method == "POST" else None)


RECORDED: dict[str, list[Json]] = json.loads(EXAMPLES.read_text())


def recorded(route: str, name: str) -> Json:
    return next(kept for kept in RECORDED[route] if kept["name"] == name)


def shown(response: Any) -> Json:
    """What an example shows of an answer, beside its body."""
    headers = {name: response.headers[name] for name in ("Retry-After",) if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": response.json()}


def masked(value: Any, name: str = "") -> Any:
    """An answer without what differs from one run to the next: ids and times."""
    if isinstance(value, dict):
        return {name: masked(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if isinstance(value, str):
        return re.sub(r"pi_\w+|[0-9a-f]{8}-[0-9a-f-]{27}|\d{12}|(?<=:)\w+(?=/api/)", "…", value)
    return 0 if name == "created" else value


def record() -> None:
    """Provoke everything, and keep it as the examples of openapi.json."""
    kept: dict[str, list[Json]] = {}
    with Stack() as stack:
        stack.reset()
        scene = Scene(stack)
        for case in CASES:
            stack.reset()
            scene.prepare()
            request = {"request": case.request} if case.request else {}
            if case.name == "announced":
                request = {"request": scene.event()}
            told = {"name": case.name, "summary": case.summary, **request, **shown(case.ask(scene))}
            kept.setdefault(case.route, []).append(told)
        scene.close()
        with Cloud(stack) as cloud, tempfile.TemporaryDirectory() as folder:
            url = Deployments(cloud, Path(folder)).of("dev").url
            for route in SIGNED:
                for name, summary in REFUSED.items():
                    told = {"name": name, "summary": summary, **shown(refused(cloud, url, route, name))}
                    kept[route].append(told)
    EXAMPLES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    record()
