"""Stripe's webhook signature: what Stripe signed within five minutes is an event, and nothing else is."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable

import pytest

from chalicelib.aws.client import RejectedError
from chalicelib.aws.secret import Secret
from chalicelib.events.webhook import MAX_BODY_BYTES, verify_webhook
from chalicelib.key_formats import validate_signing_secret
from chalicelib.problems import Problem
from tests.support.fake_parameter_store import FakeStore

SECRET, ANOTHER, FORGED = "whsec_ofTheStage", "whsec_another", "whsec_somebodyElse"
EVENT = json.dumps({"id": "evt_1", "type": "payment_intent.succeeded"}, indent=2).encode()
NESTED = b"[" * 100_000


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(SECRET)


@pytest.fixture
def secret(store: FakeStore) -> Secret:
    return Secret("/name", validate=lambda value: validate_signing_secret(value, "test"), fetch=store.get)


def signed(body: bytes, *secrets: str, age: int = 0) -> str:
    stamp = int(time.time()) - age
    digests = [hmac.new(one.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest() for one in secrets]
    return ",".join([f"t={stamp}", *(f"v1={digest}" for digest in digests)])


def good() -> str:
    return signed(EVENT, SECRET)


def code_of(body: bytes, header: str | None, secret: Secret) -> str:
    """Return the problem's code, or ``accepted``."""
    try:
        verify_webhook(body, header, secret)
    except Problem as problem:
        return problem.code
    return "accepted"


@pytest.mark.parametrize(
    "sign",
    [
        lambda: signed(EVENT, SECRET, ANOTHER),
        lambda: signed(EVENT, ANOTHER, FORGED, SECRET),
        lambda: good() + ",v0=00,v2=00",
        lambda: signed(EVENT, SECRET, age=270),
        lambda: signed(EVENT, SECRET, age=-270),
    ],
    ids=["first of two", "last of three", "other schemes too", "late", "early"],
)
def test_one_valid_recent_signature_is_enough(secret: Secret, sign):
    assert verify_webhook(EVENT, sign(), secret) == json.loads(EVENT)


REJECTED: dict[str, tuple[bytes, Callable[[], str | None]]] = {
    "forged": (EVENT, lambda: signed(EVENT, FORGED)),
    "unsigned": (EVENT, lambda: None),
    "stale": (EVENT, lambda: signed(EVENT, SECRET, age=301)),
    "of the future": (EVENT, lambda: signed(EVENT, SECRET, age=-330)),
    "truncated": (EVENT[:-1], good),
    "one byte more": (EVENT + b" ", good),
    "re-encoded": (json.dumps(json.loads(EVENT)).encode(), good),
    "not utf-8": (b"\xff\xfe", lambda: signed(b"\xff\xfe", SECRET)),
    "without time": (EVENT, lambda: good().partition(",")[2]),
    "without v1": (EVENT, lambda: good().partition(",")[0]),
    "v0 alone": (EVENT, lambda: good().replace("v1=", "v0=")),
    "two times": (EVENT, lambda: f"{good()},{good()}"),
    "nonsense": (EVENT, lambda: "t=x,v1=y"),
    "no ASCII": (EVENT, lambda: f"t={int(time.time())},v1=é"),
    "a time too long": (EVENT, lambda: f"t={'9' * 5000},v1=00"),
    "signed with nothing": (EVENT, lambda: signed(EVENT, "")),
    "nested": (NESTED, lambda: signed(NESTED, SECRET)),
    "signed, and no event": (b"[]", lambda: signed(b"[]", SECRET)),
    "signed, and without a type": (b'{"type": 1}', lambda: signed(b'{"type": 1}', SECRET)),
    "signed, and no JSON": (b"hello", lambda: signed(b"hello", SECRET)),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_webhook_that_stripe_did_not_send_is_rejected(secret: Secret, name):
    body, sign = REJECTED[name]
    assert code_of(body, sign(), secret) == "signature_invalid"


def test_what_no_secret_can_verify_reads_none(secret: Secret, store: FakeStore):
    large = b" " * (MAX_BODY_BYTES + 1)
    assert code_of(large, signed(large, SECRET), secret) == "body_too_large"
    for name in ("unsigned", "stale", "of the future", "without time", "two times"):
        body, sign = REJECTED[name]
        assert code_of(body, sign(), secret) == "signature_invalid"
    assert store.calls == 0
    assert code_of(large[:-1], signed(large[:-1], FORGED), secret) == "signature_invalid"
    assert store.calls == 1


def test_1000_forged_webhooks_cause_one_read(secret: Secret, store: FakeStore):
    forged = signed(EVENT, FORGED)
    assert {code_of(EVENT, forged, secret) for _ in range(1000)} == {"signature_invalid"}
    assert store.calls == 1
    assert code_of(EVENT, good(), secret) == "accepted"


def test_a_rolled_secret_is_read_at_its_first_event(secret: Secret, store: FakeStore):
    assert code_of(EVENT, good(), secret) == "accepted"
    store.put(ANOTHER)
    assert code_of(EVENT, signed(EVENT, FORGED), secret) == "signature_invalid"  # by the new one, too
    assert code_of(EVENT, signed(EVENT, ANOTHER), secret) == "accepted"
    assert code_of(EVENT, good(), secret) == "signature_invalid"  # the old one verifies nothing any more
    assert store.calls == 2


@pytest.mark.parametrize("errors", [[RejectedError("ParameterNotFound (400)")], []], ids=["missing", "invalid"])
def test_without_a_valid_secret_stripe_is_asked_to_send_again(secret: Secret, store: FakeStore, errors):
    store.put("sk_test_aStripeKey")
    store.errors += errors
    with pytest.raises(Problem) as raised:
        verify_webhook(EVENT, signed(EVENT, "sk_test_aStripeKey"), secret)
    assert (raised.value.code, raised.value.headers) == ("webhook_secret_unavailable", {"Retry-After": "5"})
    store.put(SECRET)
    assert code_of(EVENT, good(), secret) == "accepted"
