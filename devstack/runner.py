"""Starts the parts in order, says what runs where, shows what happens, and ends all of it."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Any

from chalicelib import project
from chalicelib.config import ConfigError, load
from devstack.aws import AwsServer, leave_own_accounts
from devstack.events import EventLog, EventServer
from devstack.stripe.server import StripeServer

_PROJECT = Path(__file__).resolve().parent.parent
_READY_WITHIN = 30.0  # seconds
_ENDED_WITHIN = 5.0
# What chalice and botocore print that tells a user of the stack nothing.
_NOISE = ("GET /health", "Serving on http", "Found credentials in environment", "Found endpoint for ")


class RunnerError(Exception):
    """The stack can't run; the message says why, and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where the parts listen, on 127.0.0.1. Each can be changed by the variable of its upper-case name."""

    api_port: int = 8000
    console_port: int = 8001
    aws_port: int = 4566
    stripe_port: int = 12111

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Ports":
        """Read API_PORT, CONSOLE_PORT, AWS_PORT and STRIPE_PORT.

        :raises RunnerError: one of them is not a port, or two are the same.
        """
        chosen = {field.name: environ.get(field.name.upper(), str(field.default)) for field in fields(cls)}
        for name, value in chosen.items():
            if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
                raise RunnerError(f"{name.upper()} is {value!r}: it must be a port, 1 to 65535.")
        if len(set(map(int, chosen.values()))) < len(chosen):
            raise RunnerError(f"{', '.join(name.upper() for name in chosen)} must be four different ports.")
        return cls(**{name: int(value) for name, value in chosen.items()})


class Runner:
    """The whole stack: started, watched and ended together."""

    def __init__(self, ports: Ports) -> None:
        """Nothing is started yet."""
        self._ports = ports
        self._stop = threading.Event()
        self._parts: list[Any] = []
        self._api: subprocess.Popen[str] | None = None
        self._log = EventLog(show=_say)

    def run(self) -> int:
        """Run the stack until Ctrl-C, SIGTERM, or the API's end.

        :return: the exit code: 0 if it was ended, 1 if the API ended by itself.
        :raises RunnerError: a setting makes no sense, a port is taken, or a part did not become ready.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        try:
            project.check(_PROJECT / ".chalice")
            load()
        except ConfigError as error:
            raise RunnerError(str(error)) from error
        try:
            return self._run()
        finally:
            self._end()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _run(self) -> int:
        leave_own_accounts()
        aws = self._started("aws_port", AwsServer)
        stripe = self._started("stripe_port", lambda port: StripeServer(port=port, on_event=self._log.add_stripe_event))
        key = stripe.keys.issue("test")
        config = load({"STAGE": "dev"})
        aws.put_secret(config.stripe_key_parameter, key)
        aws.client("sns").create_topic(Name=config.note_purchased_topic)
        console = self._started("console_port", lambda port: EventServer(self._log, port))
        self._start_api({**aws.environment(), "STRIPE_API_BASE": stripe.url})
        if not self._stop.is_set():
            _say(self._screen(console.url, aws.url, stripe.url))
        while not self._stop.wait(0.2):
            if self._api is not None and self._api.poll() is not None:
                _say("The API ended by itself; its last lines are above.")
                return 1
        return 0

    def _started(self, port: str, make: Any) -> Any:
        number = getattr(self._ports, port)
        try:
            part = make(number)
        except OSError as error:
            raise _taken(port, number) from error
        part.start()
        self._parts.append(part)
        return part

    def _start_api(self, environment: dict[str, str]) -> None:
        port = self._ports.api_port
        with (
            contextlib.suppress(ConnectionError),
            contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as other,
        ):
            other.connect()
            raise _taken("api_port", port)
        environment = {
            **environment,
            "PYTHONUNBUFFERED": "1",
            # chalice local warns at every signed route that it lets everybody through; the screen says so once.
            "PYTHONWARNINGS": "ignore::UserWarning:chalice.local",
        }
        command = [sys.executable, "-m", "devstack.local", "--stage", "dev", "--port", str(port)]
        # A session of its own: Ctrl-C reaches the runner alone, which then ends the API in order.
        self._api = subprocess.Popen(  # noqa: S603
            command, cwd=_PROJECT, env=environment, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._relay, args=(self._api,), name="api output", daemon=True).start()
        give_up = time.monotonic() + _READY_WITHIN
        while not self._stop.is_set() and not _healthy(port):
            if self._api.poll() is not None:
                raise RunnerError("`chalice local` ended at once; what it printed is above.")
            if time.monotonic() > give_up:
                raise RunnerError(f"`chalice local` was not ready within {_READY_WITHIN:.0f} s.")
            time.sleep(0.02)

    def _relay(self, api: "subprocess.Popen[str]") -> None:
        assert api.stdout is not None
        for line in api.stdout:
            if line.strip() and not any(noise in line for noise in _NOISE):
                _say(f"          api            {line.rstrip()}")

    def _end(self) -> None:
        if self._api is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._api.pid, signal.SIGTERM)
            try:
                self._api.wait(_ENDED_WITHIN)
            except subprocess.TimeoutExpired:
                os.killpg(self._api.pid, signal.SIGKILL)
                self._api.wait()
        for part in reversed(self._parts):
            part.stop()
        self._parts.clear()

    def _screen(self, console: str, aws: str, stripe: str) -> str:
        api = f"http://127.0.0.1:{self._ports.api_port}"
        return f"""
  notes-billing runs on this machine, stage dev, no account needed.

    API       {api:<30}  chalice local --stage dev; nobody signs, every caller is "local"
    events    {console + "/events":<30}  what happened, as JSON
    AWS       {aws:<30}  Parameter Store and SNS, emulated
    Stripe    {stripe:<30}  emulated; cards and tokens by Stripe's test names

  Charge a card:

    curl {api}/billing -H 'Content-Type: application/json' -d '{{"source": "tok_visa", "storage": 21}}'

  Ctrl-C ends all of it. What happens appears below.
"""


def _taken(port: str, number: int) -> RunnerError:
    name = port.upper()
    return RunnerError(
        f"port {number} is taken: stop what listens there, or choose another port with {name}={number + 100} make run."
    )


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201
