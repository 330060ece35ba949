"""What the tests start and call: emulated AWS and Stripe, and the API under `chalice local`."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
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
from tests.support.ports import free_port

TEST_PARAMETER = "/stripeSecretKey/test"
LIVE_PARAMETER = "/stripeSecretKey/live"
PURCHASE = {"source": "tok_visa", "storage": 21}


# The responses, output and environment of every API of this run: none of it may contain a key, and the output no
# personal data.
transcript: list[str] = []
logs: list[str] = []


class Stack:
    """AWS and Stripe on free ports."""

    def __init__(self) -> None:
        leave_own_accounts()
        self.published: list[dict[str, str]] = []
        self.aws = AwsServer(on_publish=self.published.append).start()
        self.stripe = StripeServer(webhook_pause=0.2, hosts=("api.stripe.com",))
        self.stripe.start()
        # Every test of a run uses this key, so that an API that has read it can serve the next test too.
        self.keys: list[str] = []
        self.key = self.issue_key()

    def issue_key(self, restricted_to: Iterable[str] | None = None, mode: Mode = "test") -> str:
        """Create a key that Stripe accepts. The sweep at the end of the run searches for it."""
        self.keys.append(self.stripe.keys.issue(mode, restricted_to))
        return self.keys[-1]

    def reset(self) -> None:
        self.aws.clear_faults()
        self.stripe.faults.clear()
        self.aws.calls.clear()
        self.stripe.requests.clear()
        self.aws.put_secret(TEST_PARAMETER, self.key)
        # moto's state outlives a test: a function or queue that an earlier test subscribed must receive nothing more.
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
        """A stripe-python client with the stack's key."""
        return stripe.StripeClient(self.key, base_addresses={"api": self.stripe.url})

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
        arguments = ["--stage", self._stage, "--port", str(self._port), "--allow-origin", "*"]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "devstack.chalice_local", *arguments],
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
        transcript.append(environment_of(self._process.pid))
        self._process.send_signal(number)
        self._process.wait()

    def output(self) -> str:
        """Return what the process has printed so far."""
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


class RunningService:
    """The API, Stripe's webhooks to it, and `notify` on the topic: everything that processes a purchase."""

    def __init__(self, stack: Stack, **environment: str) -> None:
        self.stack = stack
        self.api = Api(stack, **environment)

    def __enter__(self) -> "RunningService":
        self.queue = set_up(self.stack.aws, self.stack.stripe, load({"STAGE": "dev"}), self.stack.key, self.api.url)
        self.stack.published.clear()
        self.api.__enter__()
        environment = {**self.stack.environment(), "_HANDLER": "app.notify"}
        self.notify = Child(["devstack.notify_worker", self.queue], environment, logs.append)
        return self

    def __exit__(self, *_: object) -> None:
        self.notify.stop()
        self.api.__exit__()
        self.stack.stripe.stop()  # no receiver is left for its deliveries
        self.stack.aws.client("sqs").delete_queue(QueueUrl=self.queue)
        self.stack.reset()

    def finish(self) -> None:
        """End the faults, let everything that was sent be processed, and forget it."""
        webhooks = self.stack.stripe.webhooks
        self.stack.aws.clear_faults()
        webhooks.inject_faults(duplicate_every=0, fail_every=0, shuffle=0.0)
        assert webhooks.wait(60)
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        wanted = {"QueueUrl": self.queue, "AttributeNames": names}
        sqs = self.stack.aws.client("sqs")
        assert eventually(lambda: set(sqs.get_queue_attributes(**wanted)["Attributes"].values()) == {"0"})
        for log in (self.stack.published, self.stack.aws.calls, webhooks.attempts):
            log.clear()

    def notify_of(self, message: dict[str, Any]) -> None:
        """Invoke notify with a message, as the topic does, without the API."""
        body = json.dumps({"Message": json.dumps(message), "MessageAttributes": {}})
        self.stack.aws.client("sqs").send_message(QueueUrl=self.queue, MessageBody=body)

    def restart_api(self, number: int) -> None:
        """End the API with a signal, and start it on the same port."""
        self.api.stop(number)
        self.api.__enter__()

    def wait_for_texts(self, count: int) -> None:
        assert eventually(lambda: len(self.stack.texts()) >= count)

    def processes(self, payment_id: str, event: str = "note_purchased") -> bool:
        """Wait until a payment's event was published and its text was sent."""
        return eventually(
            lambda: (
                any((it["payment_id"], it["event"]) == (payment_id, event) for it in self.stack.announced())
                and self.was_texted(payment_id)
            )
        )

    def was_texted(self, payment_id: str) -> bool:
        return any(payment_id in text for text in self.stack.texts())


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text(errors="replace") if sys.platform == "linux" else ""


def eventually(holds: Callable[[], bool], timeout: float = 60) -> bool:
    """Wait until a condition holds in another process. Return whether it did within the timeout."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_problem(response: Any, status: int, code: str) -> bool:
    """Assert that a response is a problem with this status and code, in the form of RFC 9457."""
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
