"""The console's server: its stream, its switches, its page, and the requests that it rejects."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests
import stripe
from botocore.config import Config
from botocore.exceptions import ClientError

from devstack.console.fault_switches import RestartError, Switches
from devstack.console.server import Console
from devstack.event_log import EventLog
from devstack.stripe.server import StripeServer
from tests.support.stack import PROJECT, TEST_PARAMETER, Stack
from tests.support.stripe_client import VISA, client

CONSOLE = PROJECT / "devstack" / "console"


class RunningConsole:
    """A console with a Stripe emulator of its own, and the tests' AWS."""

    def __init__(self, stack: Stack) -> None:
        log = EventLog(show=lambda _line: None)
        self.aws, self.keys = stack.aws, stack.keys
        self.stripe = StripeServer(on_event=log.add_stripe_event, on_delivery=log.add_delivery).start()
        self.restarts = 0
        self.key = self.stripe.keys.issue("test")
        self.keys.append(self.key)
        self.switches = Switches(stack.aws, self.stripe, self.key, TEST_PARAMETER, self.restart)
        self.console = Console(log, self.stripe, self.switches, "http://127.0.0.1:8000").start()
        self.url = self.console.url

    def restart(self) -> None:
        self.restarts += 1
        if self.restarts == 2:
            raise RestartError("broken")

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=10)

    def post(self, path: str, body: object = {}) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=10)

    def on(self) -> list[str]:
        return [switch["name"] for switch in self.get("/switches").json()["switches"] if switch["on"]]

    def charge(self, key: str = "", idempotency_key: str | None = None) -> tuple[int | None, Any]:
        """Charge a card at Stripe, and return status and payment; None if the connection was cut."""
        options: Any = {"idempotency_key": idempotency_key} if idempotency_key else {}
        try:
            return 200, client(self.stripe, key or self.key).payment_intents.create(VISA, options)
        except stripe.APIConnectionError:
            return None, None
        except stripe.StripeError as error:
            return error.http_status, None

    def stored_key(self) -> str:
        stored = self.aws.client("ssm").get_parameter(Name=TEST_PARAMETER, WithDecryption=True)
        self.keys.append(stored["Parameter"]["Value"])
        return self.keys[-1]

    def stream(self, last: str = "") -> Iterator[tuple[str, str, Any]]:
        """Yield the stream's messages: event, id, data."""
        with requests.get(self.url + "/stream", headers={"Last-Event-ID": last}, stream=True, timeout=10) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            message: dict[str, str] = {}
            for line in response.iter_lines(chunk_size=1, decode_unicode=True):
                name, _, value = line.partition(": ")
                message[name] = value
                if name == "data":
                    yield message["event"], message.pop("id", ""), json.loads(value)


@pytest.fixture
def running(stack: Stack) -> Iterator[RunningConsole]:
    running = RunningConsole(stack)
    yield running
    running.console.stop()
    running.stripe.stop()
    stack.aws.clear_faults()


def test_the_stream_sends_past_events_then_new_ones_and_after_a_reconnect_the_missed_ones(running: RunningConsole):
    payments = [running.charge()[1]["id"]]
    messages = running.stream()
    assert next(messages)[0] == "begin"
    numbers, entries = [], []
    for kind, number, data in messages:
        if kind == "switches":
            payments.append(running.charge()[1]["id"])
        else:
            numbers.append(number)
            entries += [data["payment_id"]] if data["kind"] == "payment" else []
        if len(entries) == 2:
            break
    assert entries == payments
    assert [event["payment_id"] for event in running.get("/events").json()] == payments
    assert next(running.stream(numbers[0]))[1] == numbers[1]
    assert next(running.stream("another-1"))[0] == "begin"  # the id is of an earlier run


def test_an_events_json_lists_the_calls_to_stripe_with_its_idempotency_key(running: RunningConsole):
    running.stripe.faults.add(cut="after")
    assert [running.charge(idempotency_key="key")[0] for _ in range(2)] == [None, 200]
    number = next(data["number"] for _, _, data in running.stream() if data.get("kind") == "payment")
    event = running.get(f"/events/{number}").json()
    assert event["calls_with_this_key"] == [None, 200]
    assert event["details"]["type"] == "payment_intent.succeeded"
    assert running.get("/events/99").status_code == 404


@pytest.mark.parametrize(
    ("name", "status"), [("stripe_down", 500), ("stripe_declining", 402), ("stripe_cut", None), ("key_revoked", 401)]
)
def test_a_switch_makes_charges_fail_until_it_is_turned_off_or_all_are_cleared(running: RunningConsole, name, status):
    for turn_off in (("/switches", {"name": name, "on": False}), ("/clear-faults",)):
        assert running.post("/switches", {"name": name, "on": True}).status_code == 200
        assert running.charge()[0] == status
        assert running.on() == [name]
        assert running.post(*turn_off).status_code == 200
        assert running.on() == []
        assert running.charge()[0] == 200


def test_cut_after_charge_turns_itself_off_after_two_calls(running: RunningConsole):
    running.switches.turn("stripe_cut", True)
    assert [running.charge(idempotency_key="key")[0] for _ in range(3)] == [None, None, 200]
    assert running.on() == []
    assert len(running.stripe.payment_intents) == 1


def test_slow_and_late_combine_and_delay_every_charge_but_no_other_call(running: RunningConsole):
    running.switches.turn("stripe_slow", True)
    running.switches.turn("stripe_late", True)
    for _ in range(2):
        fault = running.stripe.faults.next("POST", "/v1/payment_intents")
        assert (fault.delay, fault.delay_after) == (3.0, 12.0)
    assert running.stripe.faults.next("GET", "/v1/balance").delay == 0
    assert running.on() == ["stripe_slow", "stripe_late"]


@pytest.mark.parametrize(("name", "restarts"), [("ssm_denied", 1), ("ssm_throttled", 1), ("sns_down", 0)])
def test_a_fault_of_aws_lasts_and_of_parameter_store_needs_a_new_container(running: RunningConsole, name, restarts):
    once = Config(retries={"total_max_attempts": 1})
    call = partial(running.aws.client("ssm", once).get_parameter, Name=TEST_PARAMETER)
    if name == "sns_down":
        call = partial(running.aws.client("sns", once).publish, PhoneNumber="+14151234567", Message="text")
    for _ in range(2):
        running.switches.turn(name, True)
        with pytest.raises(ClientError):
            call()
    running.switches.turn(name, False)
    assert call()
    assert running.restarts == restarts


def test_a_new_container_that_does_not_start_is_reported(running: RunningConsole):
    assert [running.post("/restart").status_code for _ in range(2)] == [200, 503]


def test_a_rotated_key_replaces_the_old_one_also_while_that_is_revoked(running: RunningConsole):
    state = running.post("/rotate-key").json()
    new = running.stored_key()
    assert state["key"] == f"…{new[-4:]}"
    assert new not in json.dumps(state)
    assert [running.charge()[0], running.charge(new)[0]] == [401, 200]
    running.switches.turn("key_revoked", True)
    running.post("/rotate-key")
    assert running.charge(running.stored_key())[0] == 200
    assert running.on() == []


def test_the_state_follows_faults_that_were_cleared_elsewhere_and_counts_the_changes(running: RunningConsole):
    before = running.switches.state()
    running.switches.turn("stripe_down", True)
    requests.delete(running.stripe.url + "/_devstack/faults", timeout=10)
    assert running.on() == []
    assert running.switches.state() != before


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


def test_what_any_page_can_send_is_rejected(running: RunningConsole):
    headers = {"Content-Type": "text/plain"}  # of a form, or of fetch in no-cors mode
    response = requests.post(running.url + "/clear-faults", data="{}", headers=headers, timeout=10)
    assert response.status_code == 415
    assert requests.get(running.url, headers={"Host": "attacker.example"}, timeout=10).status_code == 403


def test_the_page_has_a_content_security_policy_and_no_other_file_is_readable(running: RunningConsole):
    page = running.get("")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "connect-src 'self' http://127.0.0.1:8000;" in page.headers["Content-Security-Policy"]
    assert '<meta name="api" content="http://127.0.0.1:8000">' in page.text
    for path in ("//etc/passwd", "/../server.py", "/%2e%2e/server.py", "/page.py", "/static/main.js", "/nothing.js"):
        assert running.get(path).status_code == 404
    for name in re.findall(r'(?:href|src)="([^"/{#][^"]*)"', page.text):
        assert running.get(f"/{name}").status_code == 200


def test_the_page_loads_nothing_from_other_hosts():
    for file in [*(CONSOLE / "static").iterdir(), *(CONSOLE / "templates").iterdir()]:
        hosts = set(re.findall(r"https?://[\w.]+", file.read_text())) - {"http://www.w3.org"}
        assert not hosts, file
