"""Each upstream denied, throttled, slow, cut off, answering nonsense: the contract's response, and no restart."""

import contextlib
import json
import socket
import threading
import time
import uuid

import pytest

from devstack.aws_emulator import AwsFault
from tests.support.contract import example, without_values
from tests.support.lambda_container import Container
from tests.support.stack import PURCHASE, TEST_PARAMETER, Api, Stack, is_problem

ALWAYS = 1000


class Dripping:
    """A Stripe that sends a byte of its response every half second, without end."""

    def __init__(self, part: str) -> None:
        self._start = (
            b"HTTP/1.1 200 OK\r\nX-Drip: " if part == "header" else b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Dripping":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._drip, args=self._listener.accept()[:1], daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(self._start)
            while not self._stopped.wait(0.5):
                connection.sendall(b"x")


# Except throttling, which is waited out: tests/service/test_fleet.py.
every_failure_of_parameter_store = pytest.mark.parametrize(
    "fault",
    [
        AwsFault("GetParameter", ALWAYS, error="AccessDeniedException"),
        AwsFault("GetParameter", ALWAYS, error="ParameterNotFound"),
        AwsFault("GetParameter", ALWAYS, error="ExpiredTokenException"),
        AwsFault("GetParameter", ALWAYS, error="InternalServerError", status=500),
        AwsFault("GetParameter", ALWAYS, body=b"<html>502</html>", status=502),
        AwsFault("GetParameter", ALWAYS, delay=5),
        AwsFault("GetParameter", ALWAYS, cut=True),
        AwsFault("GetParameter", ALWAYS, body=b"<html>hello</html>", status=200),
        AwsFault("GetParameter", ALWAYS, body=b"{}", status=200),
        AwsFault("GetParameter", ALWAYS, body=b'{"Parameter": {"Type": "SecureString", "Value": 7}}', status=200),
        AwsFault("GetParameter", ALWAYS, body=b"", status=200),
    ],
    ids=[
        "denied",
        "missing",
        "expired",
        "500",
        "502",
        "hanging",
        "cut",
        "html",
        "empty",
        "number",
        "nothing",
    ],
)


@every_failure_of_parameter_store
def test_parameter_store_fails_and_recovers(fresh_api: Api, stack: Stack, fault):
    stack.aws.fail(fault)
    response = fresh_api.post(PURCHASE)
    assert is_problem(response, 503, "stripe_key_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert stack.stripe.requests == []
    assert f"{TEST_PARAMETER}: " in fresh_api.output()  # the on-call engineer finds the cause in the log
    stack.aws.clear_faults()
    assert fresh_api.post(PURCHASE).status_code == 200


@every_failure_of_parameter_store
def test_parameter_store_fails_a_container_and_recovers(stack: Stack, fault):
    """The same, with a call that is signed without the SDK."""
    stack.aws.fail(fault)
    with Container(stack) as container:
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_unavailable")
        assert stack.stripe.requests == []
        stack.aws.clear_faults()
        assert container.post(PURCHASE).status_code == 200
        assert f"{TEST_PARAMETER}: " in container.output()


def test_a_parameter_that_is_stored_later(stack: Stack):
    stack.aws.client("ssm").delete_parameter(Name=TEST_PARAMETER)
    with Container(stack) as container:
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_unavailable")
        stack.aws.put_secret(TEST_PARAMETER, stack.key)
        assert container.post(PURCHASE).status_code == 200


def _intent(**changes: object) -> bytes:
    """A PaymentIntent as Stripe would return it for a purchase of 22 notes, with changes."""
    intent = {"object": "payment_intent", "id": "pi_1", "status": "succeeded", "amount": 4400, "currency": "usd"}
    intent |= {"created": 1, "livemode": False, "metadata": {"storage": "22"}, **changes}
    return json.dumps(intent).encode()


STRIPE_FAULTS = {
    "401": ({"status": 401}, 503, "stripe_key_rejected"),
    "403": ({"status": 403}, 503, "stripe_key_rejected"),
    "402": ({"status": 402}, 402, "card_declined"),
    "409": ({"status": 409}, 409, "idempotency_key_in_use"),
    "429": ({"status": 429}, 429, "rate_limited"),
    "500": ({"status": 500}, 502, "payment_provider_error"),
    "503": ({"status": 503, "body": b"<html>maintenance</html>"}, 502, "payment_provider_error"),
    "cut before": ({"cut": "before"}, 502, "payment_provider_error"),
    "cut after": ({"cut": "after"}, 502, "payment_provider_error"),
    "html": ({"body": b"<html>hello</html>"}, 502, "payment_provider_error"),
    "empty object": ({"body": b"{}"}, 502, "payment_provider_error"),
    "list": ({"body": b"[]"}, 502, "payment_provider_error"),
    "null": ({"body": b"null"}, 502, "payment_provider_error"),
    "another object": ({"body": b'{"object": "balance", "livemode": false}'}, 502, "payment_provider_error"),
    "half an intent": ({"body": b'{"object": "payment_intent", "id": "pi_1"}'}, 502, "payment_provider_error"),
    "binary": ({"body": b"\xff\xfe\x00"}, 502, "payment_provider_error"),
    "402 nonsense": ({"status": 402, "body": b'{"error": "nope"}'}, 502, "payment_provider_error"),
    "402 empty": ({"status": 402, "body": b"{}"}, 502, "payment_provider_error"),
    "402 list": ({"status": 402, "body": b"[]"}, 502, "payment_provider_error"),
    "400 null error": ({"status": 400, "body": b'{"error": null}'}, 502, "payment_provider_error"),
    "404 page": ({"status": 404, "body": b"not here"}, 502, "payment_provider_error"),
    "id null": ({"body": _intent(id=None)}, 502, "payment_provider_error"),
    "id is an object": ({"body": _intent(id={})}, 502, "payment_provider_error"),
    "currency null": ({"body": _intent(currency=None)}, 502, "payment_provider_error"),
    "another amount": ({"body": _intent(amount=1)}, 502, "payment_provider_error"),
    "of the other mode": ({"body": _intent(livemode=True)}, 502, "payment_provider_error"),
    "redirect": ({"status": 302, "body": b""}, 502, "payment_provider_error"),
}


@pytest.mark.parametrize("name", STRIPE_FAULTS)
def test_stripe_fails_and_recovers(api: Api, stack: Stack, name):
    fault, status, code = STRIPE_FAULTS[name]
    key = str(uuid.uuid4())
    stack.stripe.faults.add(count=ALWAYS, match="/v1/payment_intents", **fault)
    response = api.post({**PURCHASE, "storage": 22}, Idempotency_Key=key)
    assert is_problem(response, status, code)
    if status in (409, 429):
        assert int(response.headers["Retry-After"]) > 0
    if status != 402:
        assert response.headers["Idempotency-Key"] == key
    if status == 502:
        assert key in response.json()["detail"]
    stack.stripe.faults.clear()
    again = api.post({**PURCHASE, "storage": 22}, Idempotency_Key=key)
    assert again.status_code == 200, again.text
    charged = [request for request in stack.stripe.requests if request.idempotency_key and request.status == 200]
    assert len({intent["id"] for intent in stack.stripe.payment_intents if intent["id"] == again.json()["id"]}) == 1
    assert charged


@pytest.mark.parametrize(
    "fault", [{"cut": "before"}, {"cut": "after"}, {"status": 500}, {"status": 409}, {"body": b"{}"}]
)
def test_one_failure_of_stripe_is_hidden_from_the_caller(api: Api, stack: Stack, fault):
    before = len(stack.stripe.payment_intents)
    stack.stripe.faults.add(count=1, match="/v1/payment_intents", **fault)
    assert api.post(PURCHASE).status_code == 200
    assert len(stack.stripe.payment_intents) == before + 1


def test_a_payment_whose_response_was_lost_is_returned_for_its_key(api: Api, stack: Stack):
    before = len(stack.stripe.payment_intents)
    stack.stripe.faults.add(count=ALWAYS, match="/v1/payment_intents", cut="after")
    lost = api.post(PURCHASE)  # without a key: the response has one to repeat with
    assert is_problem(lost, 502, "payment_provider_error")
    stack.stripe.faults.clear()
    found = api.post(PURCHASE, Idempotency_Key=lost.headers["Idempotency-Key"])
    assert found.json()["status"] == "succeeded"
    assert len(stack.stripe.payment_intents) == before + 1


def test_stripe_hangs_and_recovers():
    # A Stripe of its own, since the calls that hang end when other tests run.
    with Stack() as stack, Api(stack) as api:
        stack.reset()
        stack.stripe.faults.add(count=ALWAYS, match="/v1/payment_intents", delay_after=12)
        response = api.post(PURCHASE)
        assert is_problem(response, 504, "outcome_unknown")
        assert response.elapsed.total_seconds() < 25  # API Gateway's limit, not a measure of speed
        assert response.headers["Idempotency-Key"] in response.json()["detail"]
        described = example("POST /billing", 504, "outcome_unknown")
        assert without_values(response.json()) == without_values(described)
        stack.stripe.faults.clear()
        while (again := api.post(PURCHASE, Idempotency_Key=response.headers["Idempotency-Key"])).status_code == 409:
            time.sleep(int(again.headers["Retry-After"]))
        assert again.status_code == 200, again.text
        assert len(stack.stripe.payment_intents) == 1


@pytest.mark.parametrize("then", [{"status": 429}, {"status": 409}, {"status": 401}, {"status": 403}])
def test_after_a_lost_response_no_later_one_hides_that_the_card_may_be_charged(api: Api, stack: Stack, then):
    before = len(stack.stripe.payment_intents)
    stack.stripe.faults.add(count=1, match="/v1/payment_intents", cut="after")
    stack.stripe.faults.add(count=ALWAYS, match="/v1/payment_intents", **then)
    response = api.post(PURCHASE)
    assert is_problem(response, 502, "payment_provider_error")
    stack.stripe.faults.clear()
    assert api.post(PURCHASE, Idempotency_Key=response.headers["Idempotency-Key"]).status_code == 200
    assert len(stack.stripe.payment_intents) == before + 1


@pytest.mark.parametrize("drip", ["header", "body"])
def test_a_dripping_response_gets_no_more_time_than_none(stack: Stack, drip):
    """Each byte arrives within the socket's timeout, but the whole response never arrives."""
    with Dripping(drip) as stripe, Container(stack, STRIPE_API_BASE=stripe.url) as container:
        begun = time.monotonic()
        assert is_problem(container.post(PURCHASE), 504, "outcome_unknown")
        assert time.monotonic() - begun < 25  # API Gateway's limit, not a measure of speed


def test_a_netrc_file_does_not_replace_the_key(stack: Stack, tmp_path):
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    with Container(stack, NETRC=str(tmp_path / "netrc")) as container:
        assert container.post(PURCHASE).status_code == 200


def test_a_key_rejected_after_a_lost_response_does_not_claim_that_nothing_was_charged(api: Api, stack: Stack):
    stack.stripe.faults.add(count=1, match="/v1/payment_intents", cut="after")
    stack.stripe.faults.add(count=ALWAYS, match="/v1/payment_intents", status=401)
    response = api.post(PURCHASE)
    assert is_problem(response, 502, "payment_provider_error")
    assert "Nothing was charged" not in response.text


@pytest.mark.parametrize("reread", ["AccessDeniedException", "ThrottlingException"])
def test_parameter_store_fails_while_a_rotated_key_is_refreshed(stack: Stack, reread):
    with Container(stack, STRIPE_DEADLINE="12") as container:
        assert container.post(PURCHASE).status_code == 200
        stack.stripe.faults.add(count=1, match="/v1/payment_intents", status=401)
        stack.aws.fail(AwsFault("GetParameter", ALWAYS, error=reread))
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_unavailable")
        stack.aws.clear_faults()
        assert container.post(PURCHASE).status_code == 200


def test_a_key_rejected_too_late_for_another_call_is_refreshed_by_the_next_purchase(stack: Stack):
    """A read takes up to 3 s, by which the response would be late."""
    old, new = stack.issue_key(), stack.issue_key()
    stack.aws.put_secret(TEST_PARAMETER, old)
    with Container(stack, STRIPE_DEADLINE="11.5") as container:  # a call may take 10 s, so it has to begin within 1.5
        assert container.post(PURCHASE).status_code == 200
        stack.aws.put_secret(TEST_PARAMETER, new)
        stack.stripe.keys.revoke(old)
        reads = stack.reads()
        stack.stripe.faults.add(count=1, match="/v1/payment_intents", delay=2)
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_rejected")
        assert stack.reads() == reads
        assert container.post(PURCHASE).status_code == 200
        assert stack.reads() == reads + 1


def test_only_a_card_errors_message_is_passed_on_from_stripe(api: Api, stack: Stack):
    stack.stripe.faults.add(
        count=ALWAYS,
        status=500,
        match="/v1/payment_intents",
        body=json.dumps({"error": {"type": "api_error", "message": "inner workings"}}).encode(),
    )
    assert "inner workings" not in api.post(PURCHASE).text
