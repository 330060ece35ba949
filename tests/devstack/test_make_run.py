"""`make run`: it starts the whole stack, and leaves nothing behind when it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.ports import StartError, read_ports
from tests.support.make_run import Run
from tests.support.ports import free_ports
from tests.support.stack import PROJECT, PURCHASE, eventually


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    if run.process.poll() is None:
        run.process.kill()
        run.process.communicate()


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_printed_curl_charges_a_card_and_a_signal_stops_every_process(run: Run, number):
    run.wait_until_ready()
    payment = requests.post(run.url("API_PORT") + "/billing", json=PURCHASE, timeout=30)
    assert (payment.status_code, payment.json()["amount"]) == (200, 4200)
    declined = requests.post(
        run.url("API_PORT") + "/billing", json={"source": "tok_chargeDeclined", "storage": 1}, timeout=30
    )
    assert declined.status_code == 402
    events: list[dict[str, Any]] = []
    while not {"webhook", "sms"} <= {event["kind"] for event in events}:  # in either order
        time.sleep(0.05)
        events = requests.get(run.url("CONSOLE_PORT") + "/events", timeout=30).json()
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    of_kind = {event["kind"]: event for event in reversed(events)}
    assert of_kind["payment"]["payment_id"] == of_kind["note_purchased"]["payment_id"] == payment.json()["id"]
    assert (of_kind["webhook"]["event_type"], of_kind["webhook"]["status"]) == ("payment_intent.succeeded", 200)
    assert of_kind["sms"]["text"] == f"Scratch: $42.00 for 21 notes (dev), {payment.json()['id']}"
    assert of_kind["sms"]["phone"] == "+14151234567"
    failed = [event for event in events if event.get("payment_id") == declined.json()["payment_id"]]
    assert [(event["kind"], event["decline_code"]) for event in failed] == [("payment", "generic_decline")]

    children = children_of(run.process.pid)
    run.process.send_signal(number)
    output = run.process.communicate()[0]
    assert run.process.returncode == 0, output
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    for port in run.ports.values():
        socket.create_server(("127.0.0.1", port)).close()
    assert f"curl {run.url('API_PORT')}/billing" in output
    assert f"console   {run.url('CONSOLE_PORT')} " in output
    assert f"{payment.json()['id']}  42.00 USD  succeeded" in output
    assert f"to +14151234567: Scratch: $42.00 for 21 notes (dev), {payment.json()['id']}" in output
    assert "sk_test_" not in output
    assert "Traceback" not in output


def test_after_sigkill_no_process_remains(run: Run):
    run.wait_until_ready()
    children = children_of(run.process.pid)
    assert len(children) == 2
    run.process.kill()
    run.process.communicate()
    assert eventually(lambda: not any(_is_alive(child) for child in children))


def _is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


def test_a_signal_during_the_start_stops_every_process(run: Run):
    while not children_of(run.process.pid) and run.process.poll() is None:
        time.sleep(0.01)
    children = children_of(run.process.pid)
    run.process.send_signal(signal.SIGTERM)
    run.process.communicate()
    assert run.process.returncode == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.parametrize("name", ["API_PORT", "CONSOLE_PORT", "AWS_PORT", "STRIPE_PORT"])
def test_a_taken_port_is_reported_with_its_variable_and_a_command(name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        completed = subprocess.run(
            [sys.executable, "-m", "devstack"],
            cwd=PROJECT,
            env={**os.environ, **free_ports(), name: str(number)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert completed.returncode == 1
    message, empty, command = completed.stderr.splitlines()  # no traceback, and a command that can be pasted
    assert message.startswith(f"notes-billing: port {number} is taken")
    assert (empty, command.endswith(" make run")) == ("", True)
    assert f"{name}=" in command


def test_the_stack_stops_when_the_api_ends_by_itself(run: Run):
    run.wait_until_ready()
    for child in children_of(run.process.pid):
        os.kill(child, signal.SIGKILL)
    output = run.process.communicate()[0]
    assert run.process.returncode == 1
    assert "ended" in output


@pytest.mark.parametrize("value", ["", "http", "0", "65536", "-1", "8001"])
def test_an_invalid_port_is_reported_with_its_variable(value):
    with pytest.raises(StartError, match="API_PORT"):
        read_ports({"API_PORT": value})
