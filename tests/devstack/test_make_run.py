"""`make run`: the whole stack. It serves what was saved without losing a request, and leaves nothing behind."""

import itertools
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.make_run import Run, is_alive
from tests.support.stack import PROJECT, eventually

slow = pytest.mark.slow
pytestmark = pytest.mark.xdist_group("make_run")  # one worker, because most tests share a stack
_FOLDERS = (".chalice", "chalicelib", "devstack", "stagectl")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "accounts.json")
_CONFIG, _PRICING = ".chalice/config.json", "chalicelib/billing/pricing.py"
_NUMBERS = itertools.count(1)


class Checkout:
    """A copy of the project in which `make run` runs, with an editor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._edited: set[str] = set()
        shutil.copy(PROJECT / "app.py", folder)
        for name in _FOLDERS:
            shutil.copytree(PROJECT / name, folder / name, symlinks=True, ignore=_NOT_COPIED)
        self.run = Run(folder)

    def save(self, name: str, old: str, new: str) -> None:
        """Save a file of the project with one text replaced."""
        text = (PROJECT / name).read_text()
        assert text.count(old) == 1
        self._edited.add(name)
        (self.folder / name).write_text(text.replace(old, new))

    def save_health(self) -> str:
        """Save an app with a status of its own in GET /health, and return that."""
        status = f"edit {next(_NUMBERS)}"
        self.save("app.py", '"status": "ok"', f'"status": "{status}"')
        return status

    def serves(self, status: str) -> bool:
        return eventually(lambda: self.run.get("/health")["status"] == status)

    def restore(self) -> None:
        """Undo all edits, and wait until the API and notify run that."""
        before = set(self.run.processes())
        for name in self._edited:
            shutil.copy(PROJECT / name, self.folder / name)
        assert self.serves(self.save_health())
        assert eventually(lambda: not before & set(self.run.processes()))


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    checkout.run.wait_until_ready()
    yield checkout
    assert checkout.run.stop() == 0, checkout.run.output()


@pytest.fixture
def checkout(_running: Checkout) -> Iterator[Checkout]:
    """A checkout whose `make run` the tests of this file share."""
    yield _running
    _running.restore()


@pytest.fixture
def own_checkout(tmp_path: Path) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path)
    yield checkout
    checkout.run.process.kill()
    checkout.run.process.wait()


def test_the_printed_curl_charges_a_card_and_every_step_is_listed_and_printed(checkout: Checkout):
    run = checkout.run
    payment = run.pay().json()
    declined = run.pay(source="tok_chargeDeclined")
    assert (payment["amount"], declined.status_code) == (4200, 402)

    def is_texted_and_delivered() -> bool:
        """The text and the webhook's response arrive in either order."""
        published = {event["event_id"] for event in run.events("note_purchased") if payment["id"] in str(event)}
        texted = any(payment["id"] in event["text"] for event in run.events("sms"))
        return texted and any(event["event_id"] in published for event in run.events("webhook"))

    assert eventually(is_texted_and_delivered)
    events = run.events()
    assert events == sorted(events, key=lambda event: event["time"])
    of_kind = {event["kind"]: event for event in events if payment["id"] in str(event)}
    assert of_kind["payment"]["status"] == "succeeded"
    assert of_kind["sms"]["text"] == f"Scratch: $42.00 for 21 notes (dev), {payment['id']}"
    assert of_kind["sms"]["phone"] == "+14151234567"
    (webhook,) = (it for it in run.events("webhook") if it["event_id"] == of_kind["note_purchased"]["event_id"])
    assert (webhook["event_type"], webhook["status"]) == ("payment_intent.succeeded", 200)
    failed = [event for event in events if event.get("payment_id") == declined.json()["payment_id"]]
    assert [(event["kind"], event["decline_code"]) for event in failed] == [("payment", "generic_decline")]
    output = run.output()
    assert f"curl {run.url('API_PORT')}/billing" in output
    assert f"console   {run.url('CONSOLE_PORT')} " in output
    assert f"{payment['id']}  42.00 USD  succeeded" in output
    assert f"to +14151234567: {of_kind['sms']['text']}" in output
    assert "sk_test_" not in output


def test_what_was_saved_is_served_and_payments_keys_and_history_stay(checkout: Checkout):
    payment = checkout.run.pay().json()["id"]
    assert eventually(lambda: any(payment in sms["text"] for sms in checkout.run.events("sms")))
    events = checkout.run.events()
    assert checkout.serves(checkout.save_health())
    assert checkout.run.get(f"/billing/{payment}")["status"] == "succeeded"
    again = checkout.run.pay()
    assert (again.status_code, again.headers["Connection"]) == (200, "close")  # a request on an idle one could be lost
    assert checkout.run.events()[: len(events)] == events


@pytest.mark.parametrize(
    ("name", "old", "new", "shown"),
    [
        ("app.py", "def health() ->", "def health( ->", "SyntaxError"),
        pytest.param(_PRICING, "import TypedDict", "import TypeDict", "ImportError", marks=slow),
        pytest.param(_CONFIG, '"lambda_timeout": 28', '"lambda_timeout": 2', "lambda_timeout", marks=slow),
        pytest.param(_CONFIG, '"xray": true,', '"xray": true', f"{_CONFIG}, line", marks=slow),
    ],
    ids=["syntax error", "exception", "invalid setting", "invalid JSON"],
)
def test_an_error_in_what_was_saved_is_shown_and_the_code_before_it_serves(checkout: Checkout, name, old, new, shown):
    status = checkout.save_health()
    assert checkout.serves(status)
    before = len(checkout.run.output())
    checkout.save(name, old, new)
    assert eventually(lambda: "not loaded" in checkout.run.output()[before:])
    assert shown in checkout.run.output()[before:]
    assert checkout.run.get("/health")["status"] == status
    assert checkout.run.pay().status_code == 200
    checkout.restore()  # the next save is loaded


@pytest.mark.parametrize(
    ("name", "old", "new", "field", "value"),
    [
        ("chalicelib/events/notification.py", "Scratch: {price}", "Edited: {price}", "text", "Edited"),
        pytest.param(_CONFIG, '"+14151234567"', '"+14155550000"', "phone", "+14155550000", marks=slow),
    ],
    ids=["code", "environment variable"],
)
def test_notify_runs_what_was_saved(checkout: Checkout, name, old, new, field, value):
    def is_texted() -> bool:
        payment = checkout.run.pay().json()["id"]
        assert eventually(lambda: payment in str(checkout.run.events("sms")))
        (text,) = (sms for sms in checkout.run.events("sms") if payment in sms["text"])
        return text[field].startswith(value)

    checkout.save(name, old, new)
    assert eventually(is_texted)


@pytest.mark.parametrize("cause", ["save", pytest.param("console", marks=slow)])
def test_a_request_in_progress_gets_its_response_from_the_process_that_is_replaced(checkout: Checkout, cause):
    faults = checkout.run.url("STRIPE_PORT") + "/_devstack/faults"
    assert requests.post(faults, json={"delay_after": 3}, timeout=30).status_code < 300
    before, charged = checkout.run.processes(), len(checkout.run.events("payment"))
    address = ("127.0.0.1", checkout.run.ports["API_PORT"])
    with ThreadPoolExecutor() as pool, socket.create_connection(address, timeout=20) as unused:
        slow = pool.submit(checkout.run.pay)
        assert eventually(lambda: len(checkout.run.events("payment")) > charged)
        if cause == "save":
            assert checkout.serves(checkout.save_health())
        else:
            assert requests.post(checkout.run.url("CONSOLE_PORT") + "/restart", json={}, timeout=30).status_code == 200
        assert not slow.done()
        assert slow.result().status_code == 200
        assert unused.recv(1) == b""  # a browser's spare connection does not keep the process
    assert eventually(lambda: len(checkout.run.processes()) == 2 and checkout.run.processes() != before)


@slow
def test_purchases_during_reloads_all_succeed_and_are_charged_once(checkout: Checkout):
    charged = len(checkout.run.events("payment"))
    session = requests.Session()  # reuses a connection if the server keeps it
    address = checkout.run.url("API_PORT") + "/billing"

    def buy(number: int) -> requests.Response:
        body = {"source": "tok_visa", "storage": number + 1}
        return (session if number % 2 else requests).post(address, json=body, timeout=60)

    with ThreadPoolExecutor(4) as pool:
        purchases = [pool.submit(buy, number) for number in range(200)]
        for due in (20, 80, 140):
            assert eventually(lambda due=due: sum(it.done() for it in purchases) >= due)
            assert checkout.serves(checkout.save_health())
    payments = {purchase.result().json()["id"] for purchase in purchases if purchase.result().status_code == 200}
    assert len(payments) == 200
    assert len(checkout.run.events("payment")) - charged == 200


@slow
def test_the_stack_stops_when_the_process_after_a_reload_ends(own_checkout: Checkout):
    run = own_checkout.run.wait_until_ready()
    own_checkout.save("app.py", 'return {"status": "ok",', 'import os; os._exit(3); return {"status": "ok",')
    assert eventually(lambda: "reloaded" in run.output())
    with pytest.raises(requests.ConnectionError):
        run.get("/health")
    assert run.process.wait(30) == 1
    assert "ended" in run.output()


@slow
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("start", signal.SIGTERM),
        ("ready", signal.SIGINT),
        ("ready", signal.SIGHUP),
        ("ready", signal.SIGKILL),
        ("reload", signal.SIGINT),
        ("reload", signal.SIGKILL),
    ],
)
def test_after_a_signal_no_process_remains_and_the_ports_are_free(own_checkout: Checkout, moment, number):
    run = own_checkout.run
    if moment != "start":
        run.wait_until_ready()
    if moment == "reload":
        own_checkout.save("app.py", "gc.disable()", "while True: pass")
    assert eventually(lambda: len(run.processes()) >= {"start": 1, "ready": 2, "reload": 3}[moment])
    processes = run.processes()
    assert run.stop(number) == (-number if number == signal.SIGKILL else 0)
    assert eventually(lambda: not any(is_alive(process) for process in processes))
    for port in run.ports.values():
        socket.create_server(("127.0.0.1", port)).close()
    assert "Traceback" not in run.output()


def test_a_taken_port_is_reported_with_a_command_that_has_free_ones():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        run = Run(CONSOLE_PORT=str(number))
        assert run.process.wait(30) == 1
    message, empty, command = run.output().splitlines()  # no traceback, and a command that can be pasted
    assert message.startswith(f"notes-billing: port {number} is taken")
    assert (empty, command.endswith(" make run")) == ("", True)
    assert "CONSOLE_PORT=" in command
