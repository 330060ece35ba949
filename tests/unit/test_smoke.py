"""`stagectl smoke`: what it sends to the deployed API, and which responses it reports as wrong."""

import json
import re
from types import SimpleNamespace

import pytest
import requests

from chalicelib.billing import pricing
from operations import smoke
from stagectl.operator_error import OperatorError
from tests.support.fake_dev import URL, FakeDev
from tests.support.stagectl_run import invoke

BOUGHT = {"id": "pi_1", "status": "succeeded"}
PROBES = ["health", "quote", "unsigned purchase", "purchase", "announced"]


@pytest.fixture
def api(dev: FakeDev, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The API of dev: ``responses``, by method and path, and ``sent``, the requests. Purchases reach the topic."""
    api = SimpleNamespace(sent=[])
    api.responses = {
        "GET /health": (200, {"stage": "dev"}),
        "GET /billing/quote": (200, {"amount": pricing.calculate_amount(1)}),
        "unsigned POST /billing": (403, {"message": "Missing Authentication Token"}),
        "POST /billing": (200, BOUGHT),
    }
    message = {"payment_id": BOUGHT["id"], "event": "note_purchased"}
    dev.more_responses = {
        "sqs.list_queues": lambda _: {},
        "sqs.create_queue": lambda it: {"QueueUrl": f"https://sqs/{it['QueueName']}"},
        "sqs.get_queue_attributes": lambda _: {"Attributes": {"QueueArn": "arn"}},
        "sqs.set_queue_attributes": lambda _: None,
        "sns.subscribe": lambda _: None,
        "sqs.receive_message": lambda _: {"Messages": [{"Body": json.dumps({"Message": json.dumps(message)})}]},
    }

    def send(_: object, request: requests.PreparedRequest, **__: object) -> requests.Response:
        api.sent.append(request)
        response, is_unsigned = requests.Response(), "Authorization" not in request.headers
        path = str(request.url).removeprefix(URL).partition("?")[0]
        name = f"{'unsigned ' if is_unsigned and request.method == 'POST' else ''}{request.method} {path}"
        response.status_code, body = api.responses[name]
        response._content, response.url = json.dumps(body).encode(), str(request.url)
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return api


def smoke_on(dev: FakeDev, stage: str = "dev") -> tuple[int, list[tuple[str, str]]]:
    """Run smoke, and return its exit code, and the mark and name of each line."""
    code, output = invoke(dev, "smoke", "--stage", stage, "--wait", "0.01")
    return code, re.findall(r"^(\S) (\S+(?: \S+)?) ", output, re.MULTILINE)


def test_on_dev_a_purchase_is_followed_to_the_topic(dev: FakeDev, api):
    assert smoke_on(dev) == (0, [("✓", name) for name in PROBES])
    unsigned, signed = (request for request in api.sent if request.method == "POST")
    assert "Authorization" not in unsigned.headers
    assert unsigned.body == signed.body
    assert signed.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("request_", "response", "wrong"),
    [
        ("GET /health", (500, {}), "health"),
        ("GET /health", (200, {"stage": "prod"}), "health"),
        ("GET /billing/quote", (200, {"amount": 1}), "quote"),
        ("GET /billing/quote", (200, "not an object"), "quote"),
        ("unsigned POST /billing", (200, BOUGHT), "unsigned purchase"),
        ("unsigned POST /billing", (500, {}), "unsigned purchase"),
        ("POST /billing", (503, {"code": "stripe_key_rejected"}), "purchase"),
        ("POST /billing", (200, {**BOUGHT, "status": "processing"}), "purchase"),
    ],
)
def test_a_wrong_response_is_reported_and_ends_smoke_and_a_deploy(dev: FakeDev, api, request_, response, wrong):
    api.responses[request_] = response
    code, lines = smoke_on(dev)
    assert [name for mark, name in lines if mark == "✗"] == [wrong]
    assert code == 1
    with pytest.raises(OperatorError):
        smoke.deploy(dev.context, dev.target())


def test_a_purchase_that_does_not_reach_the_topic_is_reported(dev: FakeDev, api):
    dev.more_responses["sqs.receive_message"] = lambda _: {"Messages": []}
    code, lines = smoke_on(dev)
    assert (code, lines[-2:]) == (1, [("✓", "purchase"), ("✗", "announced")])


def test_on_a_live_stage_no_signed_purchase_is_sent(dev: FakeDev, api):
    (dev.folder / ".chalice" / "accounts.json").unlink()
    dev.function_of_apis = "notes-billing-prod"
    api.responses["GET /health"] = (200, {"stage": "prod"})
    dev.parameters.clear()
    assert smoke_on(dev, "prod") == (0, [("✓", name) for name in PROBES[:3]])
    (post,) = (request for request in api.sent if request.method == "POST")
    assert "Authorization" not in post.headers
