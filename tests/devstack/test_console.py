"""The console's server: its stream, its switches, its page, and the requests that it rejects."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe

from chalicelib.stripe_client.api import CALL_TIMEOUT, RESERVED_FOR_STRIPE
from devstack.console.fault_switches import SWITCHES, Switches
from devstack.console.server import Console
from devstack.event_log import EventLog
from devstack.stripe.server import StripeServer
from tests.support.stack import PROJECT, TEST_PARAMETER, Stack

STATIC = PROJECT / "devstack" / "console" / "static"


class RunningConsole:
    """A console with a Stripe emulator of its own, and the tests' AWS."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.log = EventLog(show=lambda _line: None)
        self.stripe = StripeServer(on_event=self.log.add_stripe_event, on_delivery=self.log.add_delivery).start()
        self.restarts = 0
        self.key = self.stripe.keys.issue("test")
        stack.keys.append(self.key)
        self.switches = Switches(stack.aws, self.stripe, self.key, TEST_PARAMETER, self.restart)
        self.console = Console(self.log, self.stripe, self.switches, "http://127.0.0.1:8000").start()
        self.url = self.console.url

    def restart(self) -> None:
        self.restarts += 1

    def post(self, path: str, body: object) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=10)

    def on(self) -> list[str]:
        state = requests.get(self.url + "/switches", timeout=10).json()
        return [switch["name"] for switch in state["switches"] if switch["on"]]

    def pay(self, key: str = "", card: str = "pm_card_visa") -> Any:
        client = stripe.StripeClient(key or self.key, base_addresses={"api": self.stripe.url}, max_network_retries=0)
        automatic: Any = {"enabled": True, "allow_redirects": "never"}
        return client.v1.payment_intents.create(
            {
                "amount": 100,
                "currency": "usd",
                "confirm": True,
                "payment_method": card,
                "automatic_payment_methods": automatic,
            },
            {"idempotency_key": "key-of-this-test"} if card == "pm_card_mastercard" else {},
        )

    def read_key(self) -> str:
        response = self.stack.aws.client("ssm").get_parameter(Name=TEST_PARAMETER, WithDecryption=True)
        return str(response["Parameter"]["Value"])


@pytest.fixture
def running(stack: Stack) -> Iterator[RunningConsole]:
    running = RunningConsole(stack)
    yield running
    running.console.stop()
    running.stripe.stop()
    stack.aws.clear_faults()


def stream(running: RunningConsole, last: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield the stream's messages: event, id, data."""
    headers = {"Last-Event-ID": last} if last else {}
    with requests.get(running.url + "/stream", headers=headers, stream=True, timeout=10) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        message: dict[str, str] = {}
        for line in response.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            message[name] = value
            if name == "data":
                yield message["event"], message.pop("id", ""), json.loads(value)


def test_the_stream_sends_past_events_and_then_new_ones(running: RunningConsole):
    first = running.pay()
    entries = []
    messages = stream(running)
    assert next(messages)[0] == "begin"
    for kind, _, data in messages:
        if kind == "switches":
            second = running.pay()
        elif data["kind"] == "payment":
            entries.append(data["payment_id"])
            if len(entries) == 2:
                break
    assert entries == [first.id, second.id]
    assert [event["payment_id"] for event in requests.get(running.url + "/events", timeout=10).json()] == entries


def test_a_browser_that_reconnects_gets_the_missed_events(running: RunningConsole):
    running.pay()
    last = next(number for kind, number, _ in stream(running) if kind == "entry")
    assert last.endswith("-0")
    kind, number, _ = next(stream(running, last))
    assert (kind, number) == ("entry", f"{last[:-2]}-1")
    assert next(stream(running, "another-1"))[0] == "begin"  # the id is of an earlier run


def test_an_events_json_lists_the_calls_to_stripe_with_its_idempotency_key(running: RunningConsole):
    running.stripe.faults.add(cut="after")
    with pytest.raises(stripe.APIConnectionError):
        running.pay(card="pm_card_mastercard")
    running.pay(card="pm_card_mastercard")
    number = next(data["number"] for kind, _, data in stream(running) if kind == "entry" and data["kind"] == "payment")
    event = requests.get(f"{running.url}/events/{number}", timeout=10).json()
    assert event["calls_with_this_key"] == [None, 200]
    assert event["details"]["type"] == "payment_intent.succeeded"
    assert requests.get(f"{running.url}/events/99", timeout=10).status_code == 404


def test_stripe_is_down_until_all_faults_are_cleared(running: RunningConsole):
    assert running.post("/switches", {"name": "stripe_down", "on": True}).status_code == 200
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            running.pay()
    assert running.on() == ["stripe_down"]
    assert running.post("/clear-faults", {}).status_code == 200
    assert running.on() == []
    assert running.pay().status == "succeeded"


def test_stripe_faults_combine(running: RunningConsole):
    for name in ("stripe_slow", "stripe_late", "stripe_cut", "stripe_declining"):
        running.switches.turn(name, True)
    assert running.on() == ["stripe_slow", "stripe_late", "stripe_declining", "stripe_cut"]
    for name in ("stripe_slow", "stripe_late", "stripe_cut"):
        running.switches.turn(name, False)
    with pytest.raises(stripe.CardError, match="declined"):
        running.pay()
    running.switches.turn("stripe_declining", False)
    assert running.pay().status == "succeeded"


def test_slow_and_late_delay_charges_only(running: RunningConsole):
    running.switches.turn("stripe_slow", True)
    running.switches.turn("stripe_late", True)
    fault = running.stripe.faults.next("POST", "/v1/payment_intents")
    assert (fault.delay, fault.delay_after) == (3.0, 12.0)
    assert running.stripe.faults.next("GET", "/v1/balance").delay == 0
    assert running.on() == ["stripe_slow", "stripe_late"]  # until they are switched off, after any number of calls


def test_cut_after_charge_turns_itself_off(running: RunningConsole):
    running.switches.turn("stripe_cut", True)
    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError):
            running.pay(card="pm_card_mastercard")
    assert running.on() == []
    assert running.pay(card="pm_card_mastercard").status == "succeeded"
    assert len(running.stripe.payment_intents) == 1


@pytest.mark.parametrize(("name", "code"), [("ssm_denied", "AccessDenied"), ("ssm_throttled", "Throttling")])
def test_a_parameter_store_fault_starts_a_new_container_and_rejects_reads(running: RunningConsole, name, code):
    running.switches.turn(name, True)
    running.switches.turn(name, True)
    assert running.restarts == 1
    for _ in range(2):
        with pytest.raises(Exception, match=code):
            running.read_key()
    running.switches.turn(name, False)
    assert running.read_key()
    assert running.restarts == 1


def test_the_key_is_revoked_restored_and_rotated(running: RunningConsole):
    running.switches.turn("key_revoked", True)
    with pytest.raises(stripe.AuthenticationError):
        running.pay()
    running.switches.turn("key_revoked", False)
    assert running.pay().status == "succeeded"
    state = running.post("/rotate-key", {}).json()
    new = running.read_key()
    running.stack.keys.append(new)
    assert new != running.key
    assert state["key"] == f"…{new[-4:]}"
    assert new not in json.dumps(state)
    with pytest.raises(stripe.AuthenticationError):
        running.pay()
    assert running.pay(new).status == "succeeded"
    running.switches.turn("key_revoked", True)
    running.post("/rotate-key", {})
    running.stack.keys.append(running.read_key())
    assert running.on() == []


def test_a_switch_is_off_after_its_fault_was_cleared_elsewhere(running: RunningConsole):
    running.switches.turn("stripe_down", True)
    requests.delete(running.stripe.url + "/_devstack/faults", timeout=10)
    assert running.on() == []
    assert [kind for kind, _, data in first_of(stream(running), 2)] == ["begin", "switches"]


def first_of(messages: Iterator[Any], count: int) -> list[Any]:
    return [next(messages) for _ in range(count)]


def test_the_customer_authenticates_once(running: RunningConsole):
    waiting = running.pay(card="pm_card_authenticationRequired")
    path = f"/payment_intents/{waiting.id}/authenticate"
    assert running.post(path, {"outcome": "maybe"}).status_code == 400
    assert running.post(path, {"outcome": "succeed"}).json() == {"status": "succeeded"}
    again = running.post(path, {"outcome": "succeed"})
    assert (again.status_code, "does not wait" in again.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/switches", {"name": "all", "on": True}, 400),
        ("/switches", {"name": "sns_down"}, 400),
        ("/switches", [], 400),
        ("/elsewhere", {}, 404),
        ("/payment_intents/pi_none/authenticate", {"outcome": "fail"}, 404),
    ],
)
def test_an_invalid_request_gets_a_detail(running: RunningConsole, path, body, status):
    response = running.post(path, body)
    assert (response.status_code, response.json()["detail"] != "") == (status, True)


def test_requests_from_other_origins_are_rejected(running: RunningConsole):
    for headers in ({"Host": "attacker.example"}, {"Host": "attacker.example:8001"}):
        assert requests.get(running.url + "/switches", headers=headers, timeout=10).status_code == 403
    # Any page can send this, with a form or with fetch in no-cors mode.
    headers = {"Content-Type": "text/plain"}
    response = requests.post(running.url + "/clear-faults", data="{}", headers=headers, timeout=10)
    assert response.status_code == 415
    assert requests.get(running.url.replace("127.0.0.1", "localhost") + "/switches", timeout=10).status_code == 200


def test_the_page_has_a_content_security_policy_and_no_other_file_is_readable(running: RunningConsole):
    page = requests.get(running.url, timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "connect-src 'self' http://127.0.0.1:8000;" in page.headers["Content-Security-Policy"]
    assert '<meta name="api" content="http://127.0.0.1:8000">' in page.text
    for path in ("//etc/passwd", "/../server.py", "/%2e%2e/server.py", "/page.py", "/static/main.js", "/nothing.js"):
        assert requests.get(running.url + path, timeout=10).status_code == 404
    for name in re.findall(r'(?:href|src)="([^"/{#][^"]*)"', page.text):
        assert requests.get(f"{running.url}/{name}", timeout=10).status_code == 200


def test_the_page_loads_nothing_from_other_hosts():
    for file in [*STATIC.iterdir(), STATIC.parent / "templates" / "index.html"]:
        hosts = set(re.findall(r"https?://[\w.]+", file.read_text())) - {"http://www.w3.org"}
        assert not hosts, file


def test_every_switch_describes_its_effect():
    assert len({switch.name for switch in SWITCHES}) == len(SWITCHES)
    assert all(switch.effect.endswith(".") for switch in SWITCHES)
    (throttled,) = (switch.effect for switch in SWITCHES if switch.name == "ssm_throttled")
    assert f"for up to {CALL_TIMEOUT - RESERVED_FOR_STRIPE:g} s," in throttled


def test_the_state_shows_that_a_switch_was_on_and_off_between_two_reads(running: RunningConsole):
    before = running.switches.state()
    running.switches.turn("stripe_cut", True)
    running.switches.turn("stripe_cut", False)
    assert running.switches.state() != before
