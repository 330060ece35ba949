"""Starts the parts in order, says what runs where, shows what happens, and ends all of it."""

import http.client
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import FrameType
from typing import Protocol, TypeVar

from chalice.config import Config

from chalicelib.config import ConfigError, load
from devstack.aws_emulator import AwsServer, leave_own_accounts
from devstack.child_process import PROJECT, Child
from devstack.console.fault_switches import Switches
from devstack.console.server import Console
from devstack.event_log import EventLog
from devstack.ports import Ports
from devstack.stage_setup import set_up
from devstack.stripe.server import StripeServer
from stagectl import project_check

_READY_WITHIN = 30.0  # seconds
# What chalice and botocore print that tells a user of the stack nothing.
_NOISE = ("GET /health", "Serving on http", "POST /stripe/webhook HTTP")


class RunnerError(Exception):
    """The stack can't run; the message says why, and what to do."""


class _Part(Protocol):
    def start(self) -> object: ...

    def stop(self) -> None: ...


_P = TypeVar("_P", bound=_Part)


class Runner:
    """The whole stack: started, watched and ended together."""

    def __init__(self, ports: Ports) -> None:
        """Nothing is started yet."""
        self._ports = ports
        self._stop = threading.Event()
        self._parts: list[_Part] = []
        self._children: dict[str, Child] = {}
        self._changing = threading.Lock()  # whoever starts or ends a child holds it
        self._log = EventLog(show=_say)

    def run(self) -> int:
        """Run the stack until Ctrl-C, SIGTERM, or the end of a part.

        :return: the exit code: 0 if it was ended, 1 if a part ended by itself.
        :raises RunnerError: a setting makes no sense, a port can't be listened on, or a part did not become ready.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN or number != signal.SIGHUP:  # nohup ignores it for us
                signal.signal(number, self._on_signal)
        try:
            project_check.check(PROJECT / ".chalice")
            load()
        except ConfigError as error:
            raise RunnerError(str(error)) from error
        try:
            return self._run()
        finally:
            self._stop.set()
            with self._changing:
                for child in self._children.values():
                    child.stop()
            for part in reversed(self._parts):
                part.stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _run(self) -> int:
        leave_own_accounts()
        ports, log = self._ports, self._log
        aws = self._started("aws_port", lambda: AwsServer(ports.aws_port, on_publish=log.add_publish))
        payments = self._started(
            "stripe_port",
            lambda: StripeServer(ports.stripe_port, on_event=log.add_stripe_event, on_delivery=log.add_delivery),
        )
        api = f"http://127.0.0.1:{ports.api_port}"
        config = load({"STAGE": "dev"})
        key = payments.keys.issue("test")
        queue = set_up(aws, payments, config, key, api)
        # As Lambda has it: the stage's variables, and none of a shell's.
        stage = Config(
            chalice_stage="dev", config_from_disk=project_check.read(PROJECT / ".chalice")
        ).environment_variables
        environment = {**aws.environment(), **stage, "STRIPE_API_BASE": payments.url}
        # chalice local warns at every signed route that it lets everybody through; the screen says so once.
        local = {**environment, "PYTHONWARNINGS": "ignore::UserWarning:chalice.local"}
        switches = Switches(aws, payments, key, config.stripe_key_parameter, lambda: self._start_api(local))
        console = self._started("console_port", lambda: Console(log, payments, switches, api, ports.console_port))
        as_lambda = {**environment, "_HANDLER": "app.notify"}
        self._children["notify"] = Child(["devstack.notify_worker", queue], as_lambda, _show("notify"))
        self._start_api(local)
        if not self._stop.is_set():
            _say(self._screen(console.url, aws.url, payments.url))
        while not self._stop.wait(0.2):
            with self._changing:
                ended = any(child.ended for child in self._children.values())
            if ended and not self._stop.is_set():
                _say("A part ended by itself; its last lines are above.")
                return 1
        return 0

    def _start_api(self, environment: Mapping[str, str]) -> None:
        """Start the API, in the place of the one that runs, and wait until it answers."""
        with self._changing:
            if self._stop.is_set():
                return
            if running := self._children.get("api"):
                running.stop()
            arguments = ["devstack.chalice_local", "--stage", "dev", "--port", str(self._ports.api_port)]
            self._children["api"] = Child(arguments, dict(environment), _show("api"))
            self._wait_until_healthy(self._ports.api_port)

    def _started(self, port: str, make: Callable[[], _P]) -> _P:
        try:
            part = make()
        except OSError as error:
            number = getattr(self._ports, port)
            raise RunnerError(f"{port.upper()} is {number}, and can't be listened on: {error.strerror}.") from error
        part.start()
        self._parts.append(part)
        return part

    def _wait_until_healthy(self, port: int) -> None:
        give_up = time.monotonic() + _READY_WITHIN
        while not self._stop.is_set() and not _healthy(port):
            if self._children["api"].ended:
                raise RunnerError("`chalice local` ended at once; what it printed is above.")
            if time.monotonic() > give_up:
                raise RunnerError(f"`chalice local` was not ready within {_READY_WITHIN:.0f} s.")
            time.sleep(0.02)

    def _screen(self, console: str, aws: str, stripe: str) -> str:
        api = f"http://127.0.0.1:{self._ports.api_port}"
        return f"""
  notes-billing runs on this machine, stage dev, no account needed.

    console   {console:<30}  open it in a browser: pay, watch, break things
    API       {api:<30}  chalice local --stage dev; nobody signs, every caller is "local"
    notify    texts the admin's phone for each message on the topic, as the second Lambda function does
    events    {console + "/events":<30}  what happened, as JSON
    AWS       {aws:<30}  Parameter Store, SNS and SQS, emulated
    Stripe    {stripe:<30}  emulated, with webhooks; cards and tokens by Stripe's test names

  Charge a card:

    curl {api}/billing -H 'Content-Type: application/json' -d '{{"source": "tok_visa", "storage": 21}}'

  Ctrl-C ends all of it. What happens appears below.
"""


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _show(part: str) -> Callable[[str], None]:
    """Return what shows a part's lines: those that say more than the events do."""

    def show(line: str) -> None:
        text = _readable(line)
        if text:
            _say(f"{datetime.now():%H:%M:%S}  {part:<14} {text}")

    return show


def _readable(line: str) -> str:
    """Return what a person wants to read of a line, or nothing."""
    if not line or any(noise in line for noise in _NOISE):
        return ""
    access = re.search(r'"([A-Z]+ \S+) HTTP/[0-9.]+" (\d+)', line)
    if access:
        return f"{access[1]}  {access[2]}"
    try:
        said = json.loads(line)
    except ValueError:
        return line.encode("unicode_escape").decode() if not line.isprintable() else line
    if not isinstance(said, dict) or said.get("message") != "request":
        return line
    return f"{said['code']}: {said['cause']}  (request {said['request_id']})" if "cause" in said else ""


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")  # in one piece: several threads write
    sys.stdout.flush()
