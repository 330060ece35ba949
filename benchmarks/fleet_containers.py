"""Cold containers for real: the packaged files, AWS's runtime client, the devstack's Parameter Store and Stripe."""

import json
import os
import re
import resource
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import purchases
from benchmarks.fleet_simulation import Fleet, Purchase, Timing, arrivals
from chalicelib.aws.client import AwsService
from devstack.aws import AwsServer, leave_own_accounts
from devstack.runtime_api import LambdaContainer
from devstack.stripe.server import StripeServer
from stagectl import packaging

STRIPE = 1.0  # seconds that the stand-in takes for a charge, as Stripe does
_PARAMETER = "/stripeSecretKey/test"
_MEGABYTES = 48  # of memory for a container with its share of the rest
_ALWAYS = 1_000_000
_SIGNED_BY = re.compile("Credential=([^/]+)/")


@dataclass(frozen=True)
class Run:
    """What became of a fleet's purchases; ``read``: the seconds from each to its container's first read; ``reads``: how
    many Parameter Store got; ``charges``: how many Stripe made.
    """

    purchases: list[Purchase]
    read: list[float]
    reads: int
    charges: int


class _Watched(AwsServer):
    """Remembers when each container read first. A container is known by the id of its credentials."""

    def __init__(self) -> None:
        super().__init__()
        self.first_read: dict[str, float] = {}

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        signed_by = _SIGNED_BY.search(environ.get("HTTP_AUTHORIZATION", ""))
        if signed_by and environ.get("HTTP_X_AMZ_TARGET") == "AmazonSSM.GetParameter":
            self.first_read.setdefault(signed_by[1], time.monotonic())
        return super()._application(environ, start_response)


class Lab:
    """The package, unpacked, and the upstreams that its containers meet. Use it as a context."""

    def __init__(self, folder: Path) -> None:
        """Build the package, as `make package` does.

        :param folder: a temporary one.
        """
        self._code = folder / "code"
        with zipfile.ZipFile(packaging.build("dev", folder)) as packed:
            packed.extractall(self._code)

    def __enter__(self) -> "Lab":
        leave_own_accounts()
        self._aws, self._stripe = _Watched(), StripeServer().start()
        self._aws.start()
        self._aws.put_secret(_PARAMETER, self._stripe.keys.issue("test"))
        self._stripe.faults.add(count=_ALWAYS, delay=STRIPE, match="POST /v1/payment_intents")
        project = json.loads((packaging.PROJECT / ".chalice" / "config.json").read_text(encoding="utf-8"))
        self._environment = {
            **self._aws.environment(),
            **project["environment_variables"],
            "STRIPE_API_BASE": self._stripe.url,
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stripe.stop()
        self._aws.stop()

    def calibrate(self, runs: int = 8) -> tuple[Timing, float]:
        """Start containers one at a time, none throttled.

        :return: how long everything takes, and the seconds of CPU that a container takes.
        """
        read, imports, purchase = [], [], []
        begun = _cpu_of_children()
        for number in range(runs):
            name = f"calibration{number}"
            with self._container(name) as container:
                container.api.initialized.wait()
                read.append(self._aws.first_read[name] - container.started_at)
                imports.append(container.api.initialized_at - self._aws.first_read[name])
                asked = time.monotonic()
                container.invoke(json.loads(purchases.event(name)))
                purchase.append(time.monotonic() - asked)
        cpu = (_cpu_of_children() - begun) / runs
        given = [self._read() for _ in range(20)]
        self._aws.limit_reads(1e-6)
        self._read()
        throttled = [self._read() for _ in range(20)]
        return Timing(read, imports, given, throttled, purchase), cpu

    def run(self, fleet: Fleet, seed: int) -> Run:
        """Start a fleet. Whoever is told to come back does, with the same Idempotency-Key."""
        self._aws.limit_reads(fleet.reads_per_second)
        self._aws.calls.clear()
        charged_before = len(self._charges())
        names = [f"fleet{uuid.uuid4().hex}" for _ in range(fleet.containers)]
        begun = time.monotonic() + 0.2
        with ThreadPoolExecutor(fleet.containers) as clients:
            purchases = list(clients.map(lambda at, name: self._buy(begun, at, name), arrivals(fleet, seed), names))
        read = [
            self._aws.first_read[name] - begun - bought.arrived for name, bought in zip(names, purchases, strict=True)
        ]
        reads = self._aws.calls.count("GetParameter")
        return Run(purchases, read, reads, len(self._charges()) - charged_before)

    def _buy(self, begun: float, arrived: float, name: str) -> Purchase:
        purchase, event = Purchase(arrived), json.loads(purchases.event(name))
        time.sleep(max(0.0, begun + arrived - time.monotonic()))
        with self._container(name) as container:
            while not purchase.paid:
                answer = container.invoke(event)
                waited = time.monotonic() - begun - arrived
                purchase.answered = purchase.answered or waited
                if answer["statusCode"] == 200:
                    purchase.paid = waited
                elif json.loads(answer["body"])["code"] == "stripe_key_unavailable":
                    purchase.told += 1
                    time.sleep(int(answer["headers"]["Retry-After"]))
                else:
                    raise RuntimeError(f"a purchase was answered {answer}")
        return purchase

    def _container(self, name: str) -> LambdaContainer:
        environment = {**self._environment, "AWS_ACCESS_KEY_ID": name}
        return LambdaContainer(self._code, "app.app", environment, isolated=True)

    def _charges(self) -> list[Any]:
        return [intent for intent in self._stripe.payment_intents if intent["status"] == "succeeded"]

    def _read(self) -> float:
        """Return the seconds that a read takes, given or not."""
        service = AwsService("ssm", connect_timeout=5, response_timeout=5, environ=self._environment)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameter"}
        body = json.dumps({"Name": _PARAMETER, "WithDecryption": True}).encode()
        begun = time.monotonic()
        response = service.post(headers, body)
        assert response  # the environment holds credentials, as in Lambda
        return time.monotonic() - begun


def held_by_this_machine(cpu_each: float, within: float) -> int:
    """Return how many containers can start within so many seconds such that they hardly wait for each other.

    :param cpu_each: seconds of CPU that one takes.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 / (_MEGABYTES * 1_000_000)
    cores = os.cpu_count() or 1
    free = max(cores / 4, cores - os.getloadavg()[0])  # others may be at work
    return max(4, int(min(memory, 0.5 * within * free / cpu_each)))


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
