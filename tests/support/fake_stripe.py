"""Stripe without a server: a connection with scripted responses, and the billing code on top of it."""

import json
import math
from collections.abc import Mapping
from email.message import Message
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from chalicelib.aws.http_client import HttpError, ReadTimeout, Response
from chalicelib.aws.secret import Secret
from chalicelib.billing.payments import Payments
from chalicelib.billing.purchase_request import PurchaseRequest
from chalicelib.config import load
from chalicelib.key_formats import SENSITIVE
from chalicelib.stripe_client.api import StripeApi
from chalicelib.stripe_client.connection import ANSWER
from chalicelib.telemetry import Redactor, Telemetry
from tests.support.fake_parameter_store import FakeStore

KEY = "sk_test_ofTheUnitTests"
CALLER = "us-east-1:alice"
PURCHASE = PurchaseRequest(22, "source", "tok_visa", "the-callers-key")
INTENT = {
    "object": "payment_intent",
    "id": "pi_1",
    "status": "succeeded",
    "amount": 4400,
    "currency": "usd",
    "created": 1,
    "livemode": False,
    "client_secret": "pi_1_secret_2",
    "metadata": {"storage": "22", "stage": "dev", "caller": CALLER},
}


class Call(NamedTuple):
    """What Stripe received, and until when the service waits for the response."""

    method: str
    target: str
    key: str
    version: str
    idempotency_key: str | None
    form: dict[str, str]
    deadline: float


def reply(body: object = INTENT, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response of Stripe. ``body``: bytes, or a value to send as JSON."""
    message = Message()
    for name, value in (headers or {}).items():
        message[name] = value
    return Response(status, message, body if isinstance(body, bytes) else json.dumps(body).encode())  # type: ignore[arg-type]


def error(status: int, kind: str = "api_error", headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """Return an error response of Stripe (https://docs.stripe.com/api/errors)."""
    return reply({"error": {"type": kind, "message": "inner workings", **members}}, status, headers)


class FakeStripe:
    """Stripe, the connection to it, and a stage that charges there. The clock moves only while something waits.

    ``script``: what each call gets, a response or an error; the last one is repeated. ``seconds``: how long each takes.
    """

    origin = "https://api.stripe.test"

    def __init__(
        self, *script: Response | HttpError, stage: str = "dev", key: str = KEY, throttled_until: float = 0.0
    ) -> None:
        self._script = list(script)
        self.seconds = 0.0
        self.calls: list[Call] = []
        self.store = FakeStore(key)  # with the clock
        self.store.throttled_until = throttled_until
        config = load({"STAGE": stage})
        time: Any = {"clock": self.store.clock, "sleep": self.store.sleep}
        validate = partial(config.validate, "stripe-key")
        secret = Secret("/stripeSecretKey/test", validate=validate, fetch=self.store.get, **time)
        telemetry = Telemetry(stage, Redactor(SENSITIVE))
        stripe_api = StripeApi(secret, self, self.origin, telemetry, **time)  # type: ignore[arg-type]
        self.payments = Payments(config, stripe_api, telemetry)

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, deadline: float = math.inf
    ) -> Response:
        """Stand in for HttpClient.exchange."""
        key = headers["Authorization"].removeprefix("Bearer ")
        form = dict(parse_qsl((body or b"").decode()))
        version, idempotency_key = headers["Stripe-Version"], headers.get("Idempotency-Key")
        self.calls.append(Call(method, target, key, version, idempotency_key, form, deadline))
        self.store.now += self.seconds
        result = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(result, HttpError):
            if isinstance(result, ReadTimeout):
                self.store.now = min(self.store.now + ANSWER, deadline)
            raise result
        return result
