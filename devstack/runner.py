"""Runs the whole stack: starts its parts in order, prints what happens, and stops them."""

import contextlib
import json
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

import chalicelib.config
from chalicelib.config import ConfigError, load
from devstack.aws_emulator import AwsServer, leave_own_accounts
from devstack.child_process import PROJECT, Child
from devstack.console.fault_switches import Switches
from devstack.console.server import Console
from devstack.event_log import EventLog
from devstack.ports import StartError
from devstack.service_processes import ServiceProcesses
from devstack.source_files import SourceFiles
from devstack.stage_setup import set_up
from devstack.stripe.server import StripeServer
from stagectl import project_check
from stagectl.operator_error import OperatorError

# Lines of chalice and botocore that are of no use here.
_NOISE = ("GET /health", "Serving on http", "POST /stripe/webhook HTTP")


_P = TypeVar("_P", AwsServer, StripeServer, Console)


class Runner:
    """The whole stack."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports
        self._api_url = f"http://127.0.0.1:{ports['API_PORT']}"
        self._api_origins = [f"http://{host}:{ports['CONSOLE_PORT']}" for host in ("127.0.0.1", "localhost")]
        self._is_stopping = False
        self._log = EventLog(show=_print)

    def run(self) -> int:
        """Run the stack until Ctrl-C, SIGTERM, or the end of a part.

        :return: the exit code: 0 after a signal, 1 if a part ended by itself.
        :raises StartError: a setting is invalid, a port can't be listened on, or a part did not become ready.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN or number != signal.SIGHUP:  # nohup ignores SIGHUP
                signal.signal(number, self._stop)
        try:
            project_check.check(chalicelib.config, PROJECT / ".chalice")
            origin = load().cors_origin
        except (ConfigError, OperatorError) as error:
            raise StartError(str(error)) from error
        if origin != "*":
            self._api_origins.append(origin)
        leave_own_accounts()
        with contextlib.ExitStack() as cleanup:
            service, banner = self._start(cleanup)
            return self._watch(service, banner)

    def _start(self, cleanup: contextlib.ExitStack) -> tuple[ServiceProcesses, str]:
        """Start all parts. Return the processes that run app.py, and the banner to print when they are ready."""
        aws = self._listen("AWS_PORT", partial(AwsServer, on_publish=self._log.add_publish), cleanup)
        stripe = partial(StripeServer, on_event=self._log.add_stripe_event, on_delivery=self._log.add_delivery)
        payments = self._listen("STRIPE_PORT", stripe, cleanup)
        stage = load({"STAGE": "dev"})
        key = payments.keys.issue("test")
        queue = set_up(aws, payments, stage, key, self._api_url)
        with self._port("API_PORT") as port:
            listener = cleanup.enter_context(socket.create_server(("127.0.0.1", port), backlog=128))
        environment = {**aws.environment(), "STRIPE_API_BASE": payments.url}
        # chalice local warns for each signed route that it does not check signatures. The banner says so once.
        of_api = {**environment, "PYTHONWARNINGS": "ignore::UserWarning:chalice.local"}
        # Only the API writes bytecode: of the changed files it is deleted before an API starts.
        of_notify = {**environment, "_HANDLER": "app.notify", "PYTHONDONTWRITEBYTECODE": "1"}
        api = ["devstack.chalice_local", "--stage", "dev", "--listener", str(listener.fileno())]
        api += [f"--allow-origin={origin}" for origin in self._api_origins]
        service = ServiceProcesses(
            lambda: Child(api, of_api, partial(_print_output, "api"), listener),
            lambda: Child(["devstack.notify_worker", queue], of_notify, partial(_print_output, "notify")),
            SourceFiles(PROJECT),
            partial(_print_output, "reload"),
        )
        switches = Switches(aws, payments, key, stage.parameter("stripe-key"), service.restart_api)
        console = self._listen("CONSOLE_PORT", partial(Console, self._log, payments, switches, self._api_url), cleanup)
        cleanup.callback(service.stop)
        service.start()
        return service, _banner(self._api_url, console.url, aws.url, payments.url)

    def _listen(self, variable: str, build: Callable[..., _P], cleanup: contextlib.ExitStack) -> _P:
        """Build and start a part that listens on a port."""
        with self._port(variable) as port:
            part = build(port=port)
        part.start()
        cleanup.callback(part.stop)
        return part

    @contextlib.contextmanager
    def _port(self, variable: str) -> Iterator[int]:
        """Give the port of a variable, to listen on it.

        :raises StartError: it can't be listened on.
        """
        port = self._ports[variable]
        try:
            yield port
        except OSError as error:
            raise StartError(f"{variable} is {port}, which can't be listened on: {error.strerror}.") from error

    def _watch(self, service: ServiceProcesses, banner: str) -> int:
        """Reload the service when its files change, until the end of the stack. Return the exit code."""
        is_announced = False
        while not self._is_stopping:
            service.step()
            if ended := service.ended():
                _print(f"{' and '.join(ended)} ended unexpectedly, so the stack stops. The last output is above.")
                return 1
            if service.is_ready and not is_announced:
                _print(banner)
                is_announced = True
            time.sleep(service.poll_interval)
        return 0

    def _stop(self, *_: object) -> None:
        """Handle a signal, without a lock: it may interrupt code that holds the lock."""
        self._is_stopping = True


def _banner(api: str, console: str, aws: str, stripe: str) -> str:
    return f"""
  notes-billing runs on this machine as stage dev. It needs no AWS or Stripe account.

    console   {console:<30}  open it in a browser: pay, follow each purchase, switch faults on
    API       {api:<30}  chalice local --stage dev; requests need no signature, every caller is "local"
    notify    texts the admin's phone for each message on the topic, as the second Lambda function
    events    {console + "/events":<30}  payments, webhooks, messages and texts, as JSON
    AWS       {aws:<30}  emulated: Parameter Store, SNS and SQS
    Stripe    {stripe:<30}  emulated, with webhooks; accepts Stripe's test cards and tokens

  Charge a card:

    curl {api}/billing -H 'Content-Type: application/json' -d '{{"source": "tok_visa", "storage": 21}}'

  Saving app.py, a module of chalicelib or .chalice/config.json reloads the API and notify. Keys, payments and the
  console's history stay.

  Ctrl-C stops everything. Events appear below.
"""


def _print_output(part: str, line: str) -> None:
    """Print a part's line of output, unless it repeats an event."""
    if text := _readable(line):
        _print(f"{datetime.now():%H:%M:%S}  {part:<14} {text}")


def _readable(line: str) -> str:
    """Return a line of output as a person reads it: shortened, or empty."""
    if not line or any(noise in line for noise in _NOISE):
        return ""
    access = re.search(r'"([A-Z]+ \S+) HTTP/[0-9.]+" (\d+)', line)
    if access:
        return f"{access[1]}  {access[2]}"
    try:
        record = json.loads(line)
    except ValueError:
        return line.encode("unicode_escape").decode() if not line.isprintable() else line
    if not isinstance(record, dict) or record.get("message") != "request":
        return line
    return f"{record['code']}: {record['cause']}  (request {record['request_id']})" if "cause" in record else ""


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")  # one write, because several threads print
    sys.stdout.flush()
