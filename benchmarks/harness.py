"""Runs rivals as Lambda would, each in a process of its own, against the upstream stubs."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import stripe

from benchmarks import build, purchases
from benchmarks.certificates import make_certificate

_OUR_ROOTS = build.PROJECT / "chalicelib" / "aws" / "amazon_roots.pem"
_LOOPS = Path(__file__).parent / "loops"
_EVENT = json.dumps(purchases.event()).encode() + b"\n"


@dataclass(frozen=True)
class Network:
    """The connection between a rival and the upstreams. ``delay``: seconds before each response."""

    tls: bool = False
    delay: float = 0.0


LOOPBACK = Network()  # shows only what a rival computes
LOOPBACK_TLS = Network(tls=True)
REGION = Network(tls=True, delay=0.010)  # closer to a function that calls services in its own region


class RivalError(Exception):
    """A rival did not respond with a payment. The message is its response, or what it wrote to standard error."""


class Upstreams:
    """The stubs of Parameter Store and Stripe, in a process of their own."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __enter__(self) -> "Upstreams":
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._pem = make_certificate(Path(self._folder.name)) if self._network.tls else None
        command = [sys.executable, "-m", "benchmarks.upstream"]
        self._process = subprocess.Popen(  # noqa: S603 - this Python
            command, cwd=build.PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        certificate = str(self._pem) if self._pem else None
        settings = {"bodies": purchases.upstream_bodies(), "delay": self._network.delay, "certificate": certificate}
        self._ports = self._send(settings)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def counts(self) -> tuple[list[int], list[int]]:
        """Return the calls and connections of Parameter Store, and of Stripe, since the last call of this method."""
        parameter_store, payments = self._send("counts")
        return parameter_store, payments

    def environment(self, rival: build.Rival) -> dict[str, str]:
        """Return the variables that Lambda sets for a rival, with the addresses of the upstreams."""
        scheme = "https" if self._network.tls else "http"
        aws, payments = (f"{scheme}://localhost:{port}" for port in self._ports)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "AWS_LAMBDA_FUNCTION_NAME": "billing",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "ASIA0000000000000000",
            "AWS_SECRET_ACCESS_KEY": "0" * 40,
            "AWS_SESSION_TOKEN": "0" * 700,
            "AWS_ENDPOINT_URL": aws,
            "STRIPE_API_BASE": payments,
            "STRIPE_KEY_PARAMETER": purchases.PARAMETER,
            "STAGE": "dev",
            "RESOURCES_STAGE": "dev",
            "POWERTOOLS_SERVICE_NAME": "billing",
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only
            **(_trust(self._pem, rival) if self._pem else {}),
        }

    def _send(self, message: object) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _trust(pem: Path, rival: build.Rival) -> dict[str, str]:
    """Add the upstreams' certificate to the roots that a rival loads anyway, since loading those takes the time."""
    roots = _OUR_ROOTS if rival.name == build.OURS.name else Path(certifi.where())  # botocore's
    variables = {"NODE_EXTRA_CA_CERTS": str(pem)}
    for name, usual in {"SSL_CERT_FILE": Path(stripe.ca_bundle_path), "AWS_CA_BUNDLE": roots}.items():
        file = pem.with_name(f"{rival.name}-{name}.pem")
        file.write_text(usual.read_text(encoding="utf-8") + pem.read_text(encoding="utf-8"), encoding="utf-8")
        variables[name] = str(file)
    return variables


class Container:
    """A rival's process."""

    def __init__(self, rival: build.Rival, environment: Mapping[str, str], under: Sequence[str] = ()) -> None:
        """Prepare the process; entering the context starts it.

        :param under: a command that runs the rival, such as valgrind and its options.
        """
        node = shutil.which("node") or "node"
        loop = [build.python(), _LOOPS / "loop.py"] if rival.language == "python" else [node, _LOOPS / "loop.cjs"]
        self._command = [*under, *map(str, loop), str(rival.folder), rival.handler]
        self._rival, self._environment = rival, dict(environment)

    def __enter__(self) -> "Container":
        self._errors = tempfile.TemporaryFile()
        read_end, write_end = os.pipe()
        self.started_at = time.perf_counter()
        self.process = subprocess.Popen(  # noqa: S603 - a rival's own runtime
            [*self._command, str(write_end)],
            env=self._environment,
            cwd=self._rival.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=(write_end,),
        )
        os.close(write_end)
        self._responses = os.fdopen(read_end, "rb")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def send(self, line: bytes) -> Any:
        """Send the rival a line, and return its response.

        :raises RivalError: the process ended without a response.
        """
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()
        response = self._responses.readline()
        if not response:
            self.kill()
            self._errors.seek(0)
            raise RivalError(f"{self._rival.title}: {self._errors.read().decode(errors='replace')}")
        return json.loads(response)

    def purchase(self, times: int = 1) -> None:
        """Make purchases, one after the other.

        :raises RivalError: a payment failed.
        """
        for _ in range(times):
            response = self.send(_EVENT)
            if not purchases.is_paid(response):
                raise RivalError(f"{self._rival.title}: {response}")

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used, of all threads, in user and kernel mode."""
        return float(self.send(b"usage\n")["cpu"])

    def memory(self) -> float:
        """Return the process's resident memory in MB; 0 where there is no /proc."""
        pages = Path(f"/proc/{self.process.pid}/statm")
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if pages.exists() else 0.0

    def finish(self) -> None:
        """Close the process's standard input, and wait until it exits."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        self._responses.close()

    def kill(self) -> float:
        """Kill the process; return the CPU seconds that it used."""
        if self.process.returncode is not None:
            return 0.0
        assert self.process.stdin
        self.process.kill()
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdin.close()
        self._responses.close()
        return used.ru_utime + used.ru_stime
