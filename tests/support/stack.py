"""What the tests start and talk to: the stack, the API under `chalice local`, and Lambda containers."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
import stripe

from chalicelib.config import load
from devstack.aws_emulator import AwsServer, leave_own_accounts
from devstack.child_process import Child
from devstack.stage_setup import set_up
from devstack.stripe.keys import Mode
from devstack.stripe.server import StripeServer
from tests import APP, PROJECT
from tests.support import contract

TEST_PARAMETER = "/stripeSecretKey/test"
LIVE_PARAMETER = "/stripeSecretKey/live"
PURCHASE = {"source": "tok_visa", "storage": 21}


# What the API answered and printed, and the environment it had, in this run: none of it may show a key. What it
# printed may show no personal data either.
transcript: list[str] = []
logs: list[str] = []


class Stack:
    """AWS and Stripe on free ports."""

    def __init__(self) -> None:
        leave_own_accounts()
        self.published: list[dict[str, str]] = []
        self.aws = AwsServer(on_publish=self.published.append).start()
        self.stripe = StripeServer(webhook_pause=0.2)
        self.stripe.start()
        # Every test of a run uses this key, so that an API that has read it can serve the next test too.
        self.keys: list[str] = []
        self.key = self.issue_key()

    def issue_key(self, restricted_to: Iterable[str] | None = None, mode: Mode = "test") -> str:
        """A new key that Stripe accepts; at the end of the run none of these may have been shown."""
        self.keys.append(self.stripe.keys.issue(mode, restricted_to))
        return self.keys[-1]

    def reset(self) -> None:
        self.aws.clear_faults()
        self.stripe.faults.clear()
        self.aws.calls.clear()
        self.stripe.requests.clear()
        self.aws.put_secret(TEST_PARAMETER, self.key)
        # moto's state is the process's: what an earlier test subscribed, a function or a queue, must not hear more.
        sns = self.aws.client("sns")
        for subscription in sns.list_subscriptions()["Subscriptions"]:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        self.aws.calls.clear()

    def environment(self) -> dict[str, str]:
        return {
            **{k: v for k, v in self.aws.environment().items() if k not in ("STAGE", "RESOURCES_STAGE")},
            "STRIPE_API_BASE": self.stripe.url,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(PROJECT),
        }

    def reads(self) -> int:
        return self.aws.calls.count("GetParameter")

    def announced(self) -> list[dict[str, Any]]:
        """The messages that reached a topic."""
        return [json.loads(publish["Message"]) for publish in self.published if "TopicArn" in publish]

    def client(self) -> stripe.StripeClient:
        """Stripe's own client, as an operator has it."""
        return stripe.StripeClient(self.key, base_addresses={"api": self.stripe.url})

    def notify_of(self, message: object) -> None:
        """Have notify invoked with a message, as the topic would, past the API."""
        text = message if isinstance(message, str) else json.dumps(message)
        sqs = self.aws.client("sqs")
        url = sqs.get_queue_url(QueueName="devstack-notify")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Message": text, "MessageAttributes": {}}))

    def queue_is_empty(self) -> bool:
        """Wait until notify is done with every message."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = self.aws.client("sqs")
        url = sqs.get_queue_url(QueueName="devstack-notify")["QueueUrl"]
        return eventually(
            lambda: set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}
        )

    def texts(self) -> list[str]:
        """The text messages that were sent."""
        return [publish["Message"] for publish in self.published if "PhoneNumber" in publish]

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        self.stripe.stop()
        self.aws.stop()


class Api:
    """The API under `chalice local`, in a process of its own."""

    def __init__(self, stack: Stack, stage: str = "dev", port: int = 0, **environment: str) -> None:
        self._stack = stack
        self._stage = stage
        self._port = port or free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = environment

    def __enter__(self) -> "Api":
        self._output = (PROJECT / ".pytest_cache").joinpath(f"api-{os.getpid()}-{self._port}.log")
        self._output.parent.mkdir(exist_ok=True)
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "devstack.chalice_local", "--stage", self._stage, "--port", str(self._port)],
                cwd=APP,
                env={**self._stack.environment(), **self._environment},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        while True:
            if self._process.poll() is not None:
                raise AssertionError(f"chalice local ended: {self.output()}")
            try:
                if requests.get(f"{self.url}/health", timeout=5).status_code == 200:
                    break
            except requests.ConnectionError:
                time.sleep(0.02)
        self._session = requests.Session()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._session.close()
        self._output.unlink()

    def stop(self, number: int = signal.SIGTERM) -> None:
        logs.append(self.output())
        transcript.append(_environment_of(self._process.pid))
        self._process.send_signal(number)
        self._process.wait()

    def output(self) -> str:
        """What the process printed so far."""
        return self._output.read_text(errors="replace")

    def post(self, body: object = None, path: str = "/billing", **headers: str) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, data=data, headers={"Content-Type": "application/json", **names})

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.request("GET", path, headers=headers)

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        response = self._session.request(method, self.url + path, timeout=30, **arguments)
        transcript.append(f"{response.headers} {response.text}")
        contract.check(method, path, response)
        return response


class Company:
    """The API, set up so that Stripe's webhooks reach it, and `notify` on the topic: all that hears of a purchase."""

    def __init__(self, stack: Stack, **environment: str) -> None:
        self.stack = stack
        self.api = Api(stack, **environment)

    def __enter__(self) -> "Company":
        self.queue = set_up(self.stack.aws, self.stack.stripe, load({"STAGE": "dev"}), self.stack.key, self.api.url)
        self.stack.published.clear()
        self.api.__enter__()
        environment = {**self.stack.environment(), "_HANDLER": "app.notify"}
        self.notify = Child(["devstack.notify_worker", self.queue], environment, logs.append)
        return self

    def __exit__(self, *_: object) -> None:
        self.notify.stop()
        self.api.__exit__()
        self.stack.stripe.stop()  # what it still would deliver has no receiver any more
        self.stack.aws.client("sqs").delete_queue(QueueUrl=self.queue)
        self.stack.reset()

    def wait_for_texts(self, count: int) -> None:
        assert eventually(lambda: len(self.stack.texts()) >= count)

    def hears(self, payment_id: str, event: str = "note_purchased") -> bool:
        """Wait until a payment's event is on the topic and its text was sent."""

        def heard() -> bool:
            on_topic = {(told["payment_id"], told["event"]) for told in self.stack.announced()}
            return (payment_id, event) in on_topic and self.was_texted(payment_id)

        return eventually(heard)

    def was_texted(self, payment_id: str) -> bool:
        return any(payment_id in text for text in self.stack.texts())


class Answer:
    """What a container answered: API Gateway's proxy response, read back."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.status_code: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.text: str = response["body"]

    def json(self) -> Any:
        return json.loads(self.text)


class Container:
    """A Lambda container: app.py imported as Lambda imports it, then events one after the other."""

    def __init__(self, stack: Stack, stage: str = "dev", **environment: str) -> None:
        self._stack = stack
        self.variables = {**stage_variables(stage), **environment}

    def __enter__(self) -> "Container":
        environment = {**self._stack.environment(), **self.variables, "AWS_LAMBDA_FUNCTION_NAME": "notes-billing"}
        if self.variables.get("STAGE") == "prod":
            del environment["STRIPE_API_BASE"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.container"],
            cwd=APP,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.initialized = self._receive() == {"initialized": True}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.output()

    def output(self) -> str:
        """Everything the process printed. Ends it."""
        transcript.append(_environment_of(self._process.pid))
        _, errors = self._process.communicate()
        logs.append(errors)
        return errors

    def invoke(self, event: dict[str, Any]) -> Answer:
        return Answer(self._send({"event": event})["response"])

    def post(self, body: object, caller: str = "us-east-1:cognito-identity", **headers: str) -> Answer:
        return self.invoke(billing_event(body, caller, **headers))

    def invoke_and_kill(self, event: dict[str, Any], after: float | None) -> Answer | None:
        """Handle the event in a fork of the container, killed (SIGKILL) after so many seconds."""
        response = self._send({"event": event, "fork": True, "kill_after": after})["response"]
        return response and Answer(response)

    def _send(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._receive()

    def _receive(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        transcript.append(line)
        return json.loads(line) if line else None


def billing_event(body: object, caller: str = "us-east-1:cognito-identity", **headers: str) -> dict[str, Any]:
    """The event of POST /billing, as API Gateway makes it for a signed request."""
    identity = {"cognitoIdentityId": caller} if ":user/" not in caller else {"userArn": caller}
    return {
        "resource": "/billing",
        "path": "/billing",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/billing",
            "httpMethod": "POST",
            "path": "/api/billing",
            "identity": identity,
        },
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def stage_variables(stage: str) -> dict[str, str]:
    """The environment variables that Chalice gives a stage's functions."""
    project = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    own = project["stages"].get(stage, {}).get("environment_variables", {})
    return {**project["environment_variables"], **own}


def _environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text(errors="replace") if sys.platform == "linux" else ""


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until something holds; say whether it did in time. For what happens in another process."""
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    """A port to listen on: below those that the system gives to clients, since it is taken only later.

    Until then nobody else's tests get it: they claim a port by its namesake of UDP, which nobody here uses.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)):
                _claims.append(claim)
                return port
        except OSError:
            claim.close()


_claims: list[socket.socket] = []


def free_ports() -> dict[str, str]:
    """The variables that give `make run` ports of its own."""
    return {name: str(free_port()) for name in ("API_PORT", "CONSOLE_PORT", "AWS_PORT", "STRIPE_PORT")}


def is_problem(response: Any, status: int, code: str) -> bool:
    """Assert that an answer is the problem it should be, in the form of RFC 9457."""
    body = response.json()
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert body["code"] == code, response.text
    assert body["status"] == status
    assert body["type"] == f"urn:problem-type:notes-billing:{code}"
    assert body["title"]
    assert body["detail"]
    assert re.fullmatch(r"[0-9a-f-]{36}", body["request_id"])
    return True
