"""`POST /stripe/webhook`: events that Stripe signed are accepted, and all others are rejected."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from devstack.aws_emulator import AwsFault
from tests.support.lambda_container import Container, billing_event
from tests.support.stack import Api, Stack, eventually, is_problem

# Put together here, so that the search of all files for secrets after the run does not find this one.
SECRET, ANOTHER = ("whsec_" + name for name in ("theSecretOfTheStage1", "anotherSecret2"))
PARAMETER = "/stripeWebhookSecret/dev"
PAYMENT = {
    "object": "payment_intent",
    "id": "pi_hook",
    "amount": 4200,
    "amount_received": 4200,
    "currency": "usd",
    "created": 1,
    "description": "Scratch charge",
    "metadata": {"stage": "dev", "storage": "21"},
}


def event(kind: str = "payment_intent.succeeded", thing: Any = PAYMENT, **changes: object) -> bytes:
    body = {"id": "evt_1", "object": "event", "type": kind, "created": 2, "data": {"object": thing}, **changes}
    return json.dumps(body, indent=2).encode()


def signed(body: bytes, *secrets: str, at: float | None = None) -> str:
    stamp = int(time.time() if at is None else at)
    digests = [hmac.new(one.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest() for one in secrets]
    return ",".join([f"t={stamp}", *(f"v1={digest}" for digest in digests)])


@pytest.fixture
def receiving(stack: Stack) -> Stack:
    """A stage with a signing secret and a topic."""
    stack.keys += [SECRET, ANOTHER]  # these may not be shown either
    stack.aws.put_secret(PARAMETER, SECRET)
    stack.aws.client("sns").create_topic(Name="NotePurchased-dev")
    stack.aws.calls.clear()
    stack.published.clear()
    return stack


@pytest.fixture
def fresh_hook(receiving: Stack) -> Iterator[Api]:
    """Its API, just started: no secret read yet."""
    with Api(receiving) as api:
        yield api


@pytest.fixture(scope="session")
def _running_hook(_running_stack: Stack) -> Iterator[Api]:
    _running_stack.reset()
    with Api(_running_stack) as api:
        yield api


@pytest.fixture
def hook(receiving: Stack, _running_hook: Api) -> Api:
    """Its API, shared by the tests of a run: it may have read the secret already, which never changes here."""
    return _running_hook


def send(api: Api, body: bytes, signature: str | None, **headers: str) -> Any:
    given = {} if signature is None else {"Stripe_Signature": signature}
    return api.post(body, path="/stripe/webhook", **given, **headers)


def test_a_signed_event_is_accepted_and_the_secret_read_once(fresh_hook: Api, stack: Stack):
    for _ in range(3):
        response = send(fresh_hook, event(), signed(event(), SECRET), Content_Type="application/json; charset=utf-8")
        assert (response.status_code, response.json()) == (200, {"announced": "note_purchased"})
    assert stack.reads() == 1
    assert [event["payment_id"] for event in stack.announced()] == ["pi_hook"] * 3
    assert stack.stripe.requests == []  # the event is taken from the body; nothing is fetched back


@pytest.mark.parametrize("secrets", [(SECRET, ANOTHER), (ANOTHER, SECRET), (ANOTHER, ANOTHER, SECRET)])
def test_one_valid_signature_of_several_is_enough(hook: Api, secrets):
    assert send(hook, event(), signed(event(), *secrets)).status_code == 200


@pytest.mark.parametrize("kind", ["payment_intent.created", "charge.succeeded", "payment_intent.payment_failed", "x"])
def test_an_irrelevant_event_is_accepted_and_dropped(hook: Api, stack: Stack, kind):
    assert send(hook, event(kind), signed(event(kind), SECRET)).json() == {"announced": None}
    assert stack.published == []


GOOD = event()
NESTED = b"[" * 100_000
REFUSED: dict[str, tuple[bytes, Any]] = {
    "forged": (GOOD, lambda: signed(GOOD, "whsec_somebodyElse")),
    "unsigned": (GOOD, lambda: None),
    "empty signature": (GOOD, lambda: ""),
    "stale": (GOOD, lambda: signed(GOOD, SECRET, at=time.time() - 301)),
    "of tomorrow": (GOOD, lambda: signed(GOOD, SECRET, at=time.time() + 86400)),
    "truncated": (GOOD[:-1], lambda: signed(GOOD, SECRET)),
    "one byte more": (GOOD + b" ", lambda: signed(GOOD, SECRET)),
    "re-encoded": (json.dumps(json.loads(GOOD)).encode(), lambda: signed(GOOD, SECRET)),
    "utf-16": (GOOD.decode().encode("utf-16"), lambda: signed(GOOD, SECRET)),
    "not utf-8": (b"\xff\xfe", lambda: signed(b"\xff\xfe", SECRET)),
    "without time": (GOOD, lambda: signed(GOOD, SECRET).partition(",")[2]),
    "without v1": (GOOD, lambda: signed(GOOD, SECRET).partition(",")[0]),
    "v0 alone": (GOOD, lambda: signed(GOOD, SECRET).replace("v1=", "v0=")),
    "two times": (GOOD, lambda: f"t=1,{signed(GOOD, SECRET)}"),
    "nonsense": (GOOD, lambda: "t=x,v1=y"),
    "no ASCII": (GOOD, lambda: f"t={int(time.time())},v1=é"),
    "nested": (NESTED, lambda: signed(NESTED, SECRET)),
    "a time too long": (GOOD, lambda: f"t={'9' * 5000},v1=00"),
    "signed with nothing": (GOOD, lambda: signed(GOOD, "")),
    "signed, and no event": (b"[]", lambda: signed(b"[]", SECRET)),
    "signed, and no JSON": (b"hello", lambda: signed(b"hello", SECRET)),
    "signed, and nothing": (b"", lambda: signed(b"", SECRET)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_event_that_stripe_did_not_send_has_no_effect(hook: Api, stack: Stack, name):
    body, signature = REFUSED[name]
    assert is_problem(send(hook, body, signature()), 400, "signature_invalid")
    assert stack.published == []


@pytest.mark.parametrize("size", [512 * 1024 + 1, 1024 * 1024])
def test_a_body_that_is_too_large_is_not_even_hashed(fresh_hook: Api, stack: Stack, size):
    body = b" " * size
    assert is_problem(send(fresh_hook, body, signed(body, SECRET)), 413, "body_too_large")
    assert stack.reads() == 0


def test_1000_forged_webhooks_cause_one_read(fresh_hook: Api, stack: Stack):
    forged = signed(GOOD, "whsec_somebodyElse")
    begun = time.monotonic()
    for _ in range(1000):
        assert send(fresh_hook, GOOD, forged).status_code == 400
    assert stack.reads() <= 1 + (time.monotonic() - begun) // 30
    reads = stack.reads()
    assert send(fresh_hook, GOOD, signed(GOOD, SECRET)).status_code == 200
    assert stack.reads() == reads


def test_a_rolled_secret_is_read_at_its_first_event(fresh_hook: Api, stack: Stack):
    assert send(fresh_hook, GOOD, signed(GOOD, SECRET)).status_code == 200
    stack.aws.put_secret(PARAMETER, ANOTHER)
    assert send(fresh_hook, GOOD, signed(GOOD, ANOTHER)).status_code == 200
    assert stack.reads() == 2
    assert send(fresh_hook, GOOD, signed(GOOD, SECRET)).status_code == 400  # the old one is no longer good
    assert stack.reads() == 2


@pytest.mark.parametrize(
    "fault",
    [
        AwsFault("GetParameter", 1000, error="AccessDeniedException"),
        AwsFault("GetParameter", 1000, error="ParameterNotFound"),
        AwsFault("GetParameter", 1000, error="ThrottlingException"),
    ],
    ids=["denied", "missing", "throttled"],
)
def test_without_the_secret_stripe_is_asked_to_send_again(fresh_hook: Api, stack: Stack, fault):
    stack.aws.fail(fault)
    assert is_problem(send(fresh_hook, GOOD, signed(GOOD, SECRET)), 503, "webhook_secret_unavailable")
    assert stack.published == []
    stack.aws.clear_faults()
    assert send(fresh_hook, GOOD, signed(GOOD, SECRET)).status_code == 200


def test_an_invalid_signing_secret_is_not_used(fresh_hook: Api, stack: Stack):
    stack.aws.put_secret(PARAMETER, stack.key)
    body = signed(GOOD, stack.key)
    assert is_problem(send(fresh_hook, GOOD, body), 503, "webhook_secret_unavailable")


@pytest.mark.parametrize(
    "thing",
    [
        {},
        None,
        [],
        {**PAYMENT, "amount_received": None},
        {**PAYMENT, "metadata": {"stage": "dev", "storage": "many"}},
        {"metadata": {"stage": "dev"}},
    ],
)
def test_a_signed_event_without_its_members_has_no_effect(hook: Api, stack: Stack, thing):
    body = event(thing=thing)
    response = send(hook, body, signed(body, SECRET))
    assert response.status_code in {200, 503}
    assert stack.published == []


def test_failed_publishing_is_a_5xx_so_that_stripe_sends_again(hook: Api, stack: Stack):
    stack.aws.fail(AwsFault("Publish", 1000, error="InternalError", status=500))
    assert is_problem(send(hook, GOOD, signed(GOOD, SECRET)), 503, "announcement_failed")
    stack.aws.clear_faults()
    assert send(hook, GOOD, signed(GOOD, SECRET)).status_code == 200


def test_a_base64_body_is_verified_over_its_bytes(stack: Stack):
    stack.aws.put_secret(PARAMETER, SECRET)
    stack.aws.client("sns").create_topic(Name="NotePurchased-dev")
    stack.published.clear()
    message = billing_event(base64.b64encode(GOOD).decode())
    message |= {"path": "/stripe/webhook", "resource": "/stripe/webhook", "isBase64Encoded": True}
    message["requestContext"] |= {"resourcePath": "/stripe/webhook", "identity": {}}
    message["headers"]["Stripe-Signature"] = signed(GOOD, SECRET)
    with Container(stack) as container:
        assert container.invoke(message).status_code == 200
    assert eventually(lambda: len(stack.announced()) == 1)
    assert stack.published[0]["TopicArn"] == "arn:aws:sns:us-east-1:123456789012:NotePurchased-dev"
