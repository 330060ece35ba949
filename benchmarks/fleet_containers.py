"""Starts real cold containers: the packaged files, AWS's runtime client, the devstack's Parameter Store and Stripe."""

import json
import os
import re
import resource
import time
import uuid
import zipfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from werkzeug.wrappers import Request, Response

from benchmarks import purchases
from benchmarks.fleet_simulation import Fleet, Purchase, Timing, arrivals
from chalicelib.aws.client import AwsService
from devstack.aws_emulator import AwsServer, leave_own_accounts
from devstack.runtime_api import LambdaContainer
from devstack.stripe.server import StripeServer
from stagectl import packaging

STRIPE = 1.0  # seconds that the Stripe emulator takes for a charge, as Stripe does
_CONTAINER_BYTES = 48_000_000  # a container's memory, and its share of the other processes'
_SIGNED_BY = re.compile("Credential=([^/]+)/")


@dataclass(frozen=True)
class Run:
    """A real fleet's purchases, the seconds from each to its container's first read, and the number of charges."""

    purchases: list[Purchase]
    first_reads: list[float]
    charges: int


class _RecordingAws(AwsServer):
    """Records the times of each container's reads. The access key id identifies the container."""

    def __init__(self) -> None:
        super().__init__()
        self.read_times: dict[str, list[float]] = defaultdict(list)

    def _respond(self, request: Request) -> Response:
        signed_by = _SIGNED_BY.search(request.headers.get("Authorization", ""))
        if signed_by and request.headers.get("X-Amz-Target") == "AmazonSSM.GetParameter":
            self.read_times[signed_by[1]].append(time.monotonic())
        return super()._respond(request)


class Testbed:
    """The unpacked package, and the emulators that its containers call. Use it as a context."""

    def __init__(self, folder: Path) -> None:
        """Build the package, as `make package` does, in a temporary folder."""
        self._code = folder / "code"
        with zipfile.ZipFile(packaging.build("dev", folder)) as archive:
            archive.extractall(self._code)

    def __enter__(self) -> "Testbed":
        leave_own_accounts()
        self._aws, self._stripe = _RecordingAws(), StripeServer().start()
        self._aws.start()
        self._aws.put_secret(purchases.PARAMETER, self._stripe.keys.issue("test"))
        self._stripe.faults.add(count=None, delay=STRIPE, match="POST /v1/payment_intents")
        project = json.loads((packaging.PROJECT / ".chalice" / "config.json").read_text(encoding="utf-8"))
        own = {"STRIPE_API_BASE": self._stripe.url}
        self._environment = {**self._aws.environment(), **project["environment_variables"], **own}
        return self

    def __exit__(self, *_: object) -> None:
        self._stripe.stop()
        self._aws.stop()

    def calibrate(self, runs: int = 8) -> tuple[Timing, float]:
        """Start containers one at a time, without throttling.

        :return: the durations, and the CPU seconds that a container uses.
        """
        first_read, imports, purchase = [], [], []
        cpu_before = _cpu_of_children()
        for number in range(runs):
            name = f"calibration{number}"
            with self._container(name) as container:
                container.api.initialized.wait()
                read_at = self._aws.read_times[name][0]
                first_read.append(read_at - container.started_at)
                imports.append(container.api.initialized_at - read_at)
                sent = time.monotonic()
                container.invoke(purchases.event(name))
                purchase.append(time.monotonic() - sent)
        cpu = (_cpu_of_children() - cpu_before) / runs
        reads = [self._read() for _ in range(20)]
        self._aws.limit_reads(1e-6)
        self._read()
        throttled = [self._read() for _ in range(20)]
        return Timing(first_read, imports, reads, throttled, purchase), cpu

    def run(self, fleet: Fleet, seed: int) -> Run:
        """Start a fleet. A purchase that gets a 503 is repeated with the same Idempotency-Key."""
        self._aws.limit_reads(fleet.reads_per_second)
        charges_before = self._count_charges()
        names = [f"fleet{uuid.uuid4().hex}" for _ in range(fleet.containers)]
        start = time.monotonic() + 0.2
        with ThreadPoolExecutor(fleet.containers) as clients:
            bought = list(clients.map(lambda at, name: self._buy(start, at, name), arrivals(fleet, seed), names))
        first_reads = [
            self._aws.read_times[name][0] - start - purchase.arrived
            for name, purchase in zip(names, bought, strict=True)
        ]
        return Run(bought, first_reads, self._count_charges() - charges_before)

    def _buy(self, start: float, arrived: float, name: str) -> Purchase:
        purchase, event = Purchase(arrived), purchases.event(name)
        time.sleep(max(0.0, start + arrived - time.monotonic()))
        with self._container(name) as container:
            while not purchase.paid:
                response = container.invoke(event)
                elapsed = time.monotonic() - start - arrived
                purchase.responded = purchase.responded or elapsed
                if response["statusCode"] == 200:
                    purchase.paid = elapsed
                elif json.loads(response["body"])["code"] == "stripe_key_unavailable":
                    purchase.unavailable += 1
                    time.sleep(int(response["headers"]["Retry-After"]))
                else:
                    raise RuntimeError(f"unexpected response to a purchase: {response}")
        purchase.reads = len(self._aws.read_times[name])
        return purchase

    def _container(self, name: str) -> LambdaContainer:
        environment = {**self._environment, "AWS_ACCESS_KEY_ID": name}
        return LambdaContainer(self._code, "app.app", environment, isolated=True)

    def _count_charges(self) -> int:
        return sum(intent["status"] == "succeeded" for intent in self._stripe.payment_intents)

    def _read(self) -> float:
        """Return the seconds that a read takes, successful or throttled."""
        service = AwsService("ssm", connect_timeout=5, response_timeout=5, environ=self._environment)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameter"}
        body = json.dumps({"Name": purchases.PARAMETER, "WithDecryption": True}).encode()
        sent = time.monotonic()
        response = service.post(headers, body)
        assert response  # the environment has credentials, as in Lambda
        return time.monotonic() - sent


def max_containers(cpu_each: float, within: float) -> int:
    """Return how many containers can start on this machine within ``within`` seconds and hardly slow each other down.

    :param cpu_each: CPU seconds that one uses.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    cores = os.cpu_count() or 1
    free = max(cores / 4, cores - os.getloadavg()[0])  # other processes may be running
    return max(4, int(min(memory / _CONTAINER_BYTES, 0.5 * within * free / cpu_each)))


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
