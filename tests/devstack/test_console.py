"""The console's server: what it shows, what it lets a person do, and whom it answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe

from chalicelib.billing.payments import KEY_WITHIN
from devstack.console.fault_switches import SWITCHES, Switches
from devstack.console.server import Console
from devstack.event_log import EventLog
from devstack.stripe.server import StripeServer
from tests.support.stack import PROJECT, TEST_PARAMETER, Stack

STATIC = PROJECT / "devstack" / "console" / "static"


class Served:
    """A console with a Stripe of its own, and the tests' AWS."""

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
            {"idempotency_key": "of-this-test"} if card == "pm_card_mastercard" else {},
        )

    def read_key(self) -> str:
        answer = self.stack.aws.client("ssm").get_parameter(Name=TEST_PARAMETER, WithDecryption=True)
        return str(answer["Parameter"]["Value"])


@pytest.fixture
def served(stack: Stack) -> Iterator[Served]:
    served = Served(stack)
    yield served
    served.console.stop()
    served.stripe.stop()
    stack.aws.heal()


def stream(served: Served, last: str = "") -> Iterator[tuple[str, str, Any]]:
    """What the stream says: event, id, data."""
    headers = {"Last-Event-ID": last} if last else {}
    with requests.get(served.url + "/stream", headers=headers, stream=True, timeout=10) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        told: dict[str, str] = {}
        for line in response.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            told[name] = value
            if name == "data":
                yield told["event"], told.pop("id", ""), json.loads(value)


def test_the_stream_tells_what_happened_and_then_what_happens(served: Served):
    first = served.pay()
    entries = []
    telling = stream(served)
    assert next(telling)[0] == "begin"
    for kind, _, data in telling:
        if kind == "switches":
            second = served.pay()
        elif data["kind"] == "payment":
            entries.append(data["payment_id"])
            if len(entries) == 2:
                break
    assert entries == [first.id, second.id]
    assert [event["payment_id"] for event in requests.get(served.url + "/events", timeout=10).json()] == entries


def test_a_browser_that_comes_back_is_told_what_it_missed(served: Served):
    served.pay()
    last = next(number for kind, number, _ in stream(served) if kind == "entry")
    assert last.endswith("-0")
    kind, number, _ = next(stream(served, last))
    assert (kind, number) == ("entry", f"{last[:-2]}-1")
    assert next(stream(served, "another-1"))[0] == "begin"  # of a run that has ended


def test_the_json_behind_an_entry_says_how_often_stripe_was_called(served: Served):
    served.stripe.faults.add(cut="after")
    with pytest.raises(stripe.APIConnectionError):
        served.pay(card="pm_card_mastercard")
    served.pay(card="pm_card_mastercard")
    number = next(data["number"] for kind, _, data in stream(served) if kind == "entry" and data["kind"] == "payment")
    behind = requests.get(f"{served.url}/events/{number}", timeout=10).json()
    assert behind["calls_with_this_key"] == [None, 200]
    assert behind["details"]["type"] == "payment_intent.succeeded"
    assert requests.get(f"{served.url}/events/99", timeout=10).status_code == 404


def test_stripe_down_and_healed(served: Served):
    assert served.post("/switches", {"name": "stripe_down", "on": True}).status_code == 200
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            served.pay()
    assert served.on() == ["stripe_down"]
    assert served.post("/heal", {}).status_code == 200
    assert served.on() == []
    assert served.pay().status == "succeeded"


def test_faults_of_stripe_that_are_on_together_are_met_together(served: Served):
    for name in ("stripe_slow", "stripe_late", "stripe_cut", "stripe_declining"):
        served.switches.turn(name, True)
    assert served.on() == ["stripe_slow", "stripe_late", "stripe_declining", "stripe_cut"]
    for name in ("stripe_slow", "stripe_late", "stripe_cut"):
        served.switches.turn(name, False)
    with pytest.raises(stripe.CardError, match="declined"):
        served.pay()
    served.switches.turn("stripe_declining", False)
    assert served.pay().status == "succeeded"


def test_slow_and_late_delay_charges_alone(served: Served):
    served.switches.turn("stripe_slow", True)
    served.switches.turn("stripe_late", True)
    fault = served.stripe.faults.next("POST", "/v1/payment_intents")
    assert (fault.delay, fault.delay_after) == (3.0, 12.0)
    assert served.stripe.faults.next("GET", "/v1/balance").delay == 0
    assert served.on() == ["stripe_slow", "stripe_late"]  # until they are switched off, however many calls meet them


def test_cut_after_charge_switches_itself_off(served: Served):
    served.switches.turn("stripe_cut", True)
    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError):
            served.pay(card="pm_card_mastercard")
    assert served.on() == []
    assert served.pay(card="pm_card_mastercard").status == "succeeded"
    assert len(served.stripe.payment_intents) == 1


@pytest.mark.parametrize(("name", "code"), [("ssm_denied", "AccessDenied"), ("ssm_throttled", "Throttling")])
def test_parameter_store_refuses_a_new_container(served: Served, name, code):
    served.switches.turn(name, True)
    served.switches.turn(name, True)
    assert served.restarts == 1
    for _ in range(2):
        with pytest.raises(Exception, match=code):
            served.read_key()
    served.switches.turn(name, False)
    assert served.read_key()
    assert served.restarts == 1


def test_the_key_is_revoked_and_good_again_and_rotated(served: Served):
    served.switches.turn("key_revoked", True)
    with pytest.raises(stripe.AuthenticationError):
        served.pay()
    served.switches.turn("key_revoked", False)
    assert served.pay().status == "succeeded"
    state = served.post("/rotate-key", {}).json()
    new = served.read_key()
    served.stack.keys.append(new)
    assert new != served.key
    assert state["key"] == f"…{new[-4:]}"
    assert new not in json.dumps(state)
    with pytest.raises(stripe.AuthenticationError):
        served.pay()
    assert served.pay(new).status == "succeeded"
    served.switches.turn("key_revoked", True)
    served.post("/rotate-key", {})
    served.stack.keys.append(served.read_key())
    assert served.on() == []


def test_a_fault_that_was_cleared_elsewhere_is_shown_as_off(served: Served):
    served.switches.turn("stripe_down", True)
    requests.delete(served.stripe.url + "/_devstack/faults", timeout=10)
    assert served.on() == []
    assert [kind for kind, _, data in first_of(stream(served), 2)] == ["begin", "switches"]


def first_of(telling: Iterator[Any], count: int) -> list[Any]:
    return [next(telling) for _ in range(count)]


def test_the_customer_answers_the_bank(served: Served):
    waiting = served.pay(card="pm_card_authenticationRequired")
    path = f"/payment_intents/{waiting.id}/authenticate"
    assert served.post(path, {"outcome": "maybe"}).status_code == 400
    assert served.post(path, {"outcome": "succeed"}).json() == {"status": "succeeded"}
    again = served.post(path, {"outcome": "succeed"})
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
def test_what_makes_no_sense_is_said(served: Served, path, body, status):
    answer = served.post(path, body)
    assert (answer.status_code, answer.json()["detail"] != "") == (status, True)


def test_pages_of_strangers_are_not_answered(served: Served):
    for headers in ({"Host": "attacker.example"}, {"Host": "attacker.example:8001"}):
        assert requests.get(served.url + "/switches", headers=headers, timeout=10).status_code == 403
    # What a form or a fetch without CORS can send from any page.
    sent = requests.post(served.url + "/heal", data="{}", headers={"Content-Type": "text/plain"}, timeout=10)
    assert sent.status_code == 415
    assert requests.get(served.url.replace("127.0.0.1", "localhost") + "/switches", timeout=10).status_code == 200


def test_the_page_is_served_with_a_policy_and_nothing_else_of_the_disk(served: Served):
    page = requests.get(served.url, timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "connect-src 'self' http://127.0.0.1:8000;" in page.headers["Content-Security-Policy"]
    assert '<meta name="api" content="http://127.0.0.1:8000">' in page.text
    for path in ("//etc/passwd", "/../server.py", "/%2e%2e/server.py", "/page.py", "/static/base.css", "/nothing.js"):
        assert requests.get(served.url + path, timeout=10).status_code == 404
    for name in re.findall(r'(?:href|src)="([^"/{#][^"]*)"', page.text):
        assert requests.get(f"{served.url}/{name}", timeout=10).status_code == 200


def test_the_page_names_no_other_host():
    for file in STATIC.iterdir():
        named = set(re.findall(r"https?://[\w.]+", file.read_text())) - {"http://www.w3.org"}
        assert not named, file


def test_every_switch_says_what_one_will_see():
    assert len({switch.name for switch in SWITCHES}) == len(SWITCHES)
    assert all(switch.effect.endswith(".") for switch in SWITCHES)
    (throttled,) = (switch.effect for switch in SWITCHES if switch.name == "ssm_throttled")
    assert f"for up to {KEY_WITHIN:g} s," in throttled


def test_a_switch_that_was_on_between_two_looks_is_told_of(served: Served):
    before = served.switches.state()
    served.switches.turn("stripe_cut", True)
    served.switches.turn("stripe_cut", False)
    assert served.switches.state() != before
