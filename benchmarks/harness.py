"""Runs peers as Lambda would, each in a process of its own, against the lean upstreams."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import certifi
import stripe

from benchmarks import build, purchases
from benchmarks.certificates import make_certificate

_OUR_ROOTS = build.PROJECT / "chalicelib" / "aws" / "amazon_roots.pem"
_LOOPS = Path(__file__).parent / "loops"


@dataclass(frozen=True)
class Network:
    """What lies between a peer and the upstreams. ``delay``: seconds that each answer is late."""

    name: str
    tls: bool = False
    delay: float = 0.0

    def without_delay(self) -> "Network":
        """Return the same with answers at once, for measuring what is computed alone."""
        return replace(self, delay=0.0)


# Without a network, only what a peer computes shows. The other is nearer to what a function has in its own region.
LOOPBACK = Network("loopback")
REGION = Network("region", tls=True, delay=0.010)


class PeerFailed(Exception):
    """A peer did not answer with a payment; the message has what it said."""


class Upstreams:
    """The lean Parameter Store and Stripe, in a process of their own."""

    def __init__(self, network: Network, answers: Sequence[str]) -> None:
        """Nothing is started yet.

        :param answers: see :func:`benchmarks.purchases.upstream_answers`.
        """
        self._network, self._answers = network, answers

    def __enter__(self) -> "Upstreams":
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        pem = make_certificate(Path(self._folder.name)) if self._network.tls else None
        command = [sys.executable, "-m", "benchmarks.upstream"]
        self._process = subprocess.Popen(  # noqa: S603 - this Python
            command, cwd=build.PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._ports = self._say(
            {"answers": self._answers, "delay": self._network.delay, "certificate": pem and str(pem)}
        )
        self._pem = pem
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def counts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return calls and connections of Parameter Store, and of Stripe, since this was last asked."""
        parameter_store, payments = self._say("counts")
        return tuple(parameter_store), tuple(payments)

    def environment(self, peer: build.Peer) -> dict[str, str]:
        """Return what Lambda would set for a peer, and where the upstreams are."""
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
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task can't be written to
            **(_trusting(self._pem, peer) if self._pem else {}),
        }

    def _say(self, what: object) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _trusting(pem: Path, peer: build.Peer) -> dict[str, str]:
    """Have a peer trust the upstreams beside all that it trusts anyway, since it is that which takes its time."""
    roots = _OUR_ROOTS if peer.name == build.OURS.name else Path(certifi.where())  # botocore's
    trusted = {"SSL_CERT_FILE": Path(stripe.ca_bundle_path), "AWS_CA_BUNDLE": roots}
    for name, usual in trusted.items():
        file = pem.with_name(f"{peer.name}-{name}.pem")
        file.write_text(usual.read_text(encoding="utf-8") + pem.read_text(encoding="utf-8"), encoding="utf-8")
        trusted[name] = file
    return {**{name: str(file) for name, file in trusted.items()}, "NODE_EXTRA_CA_CERTS": str(pem)}


class Container:
    """A peer's process."""

    def __init__(self, peer: build.Peer, environment: Mapping[str, str], under: Sequence[str] = ()) -> None:
        """Nothing is started yet.

        :param under: a command that runs the peer, such as valgrind and its options.
        """
        python = peer.language == "python"
        loop = [str(build.python()), str(_LOOPS / "loop.py")] if python else [_node(), str(_LOOPS / "loop.cjs")]
        self._command = [*under, *loop, str(peer.folder), peer.handler]
        self._peer, self._environment = peer, dict(environment)

    def __enter__(self) -> "Container":
        self._errors = tempfile.TemporaryFile()
        answers, theirs = os.pipe()
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(  # noqa: S603 - a peer's own runtime
            [*self._command, str(theirs)],
            env=self._environment,
            cwd=self._peer.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=(theirs,),
        )
        os.close(theirs)
        self._answers = os.fdopen(answers, "rb")
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def say(self, line: bytes) -> Any:
        """Hand the peer a line, and return its answer.

        :raises PeerFailed: there is none.
        """
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()
        answer = self._answers.readline()
        if not answer:
            self.end()
            self._errors.seek(0)
            raise PeerFailed(f"{self._peer.title}: {self._errors.read().decode(errors='replace')}")
        return json.loads(answer)

    def purchase(self, event: bytes) -> None:
        """Make a purchase.

        :raises PeerFailed: it was not paid.
        """
        answer = self.say(event)
        if not purchases.is_paid(answer):
            raise PeerFailed(f"{self._peer.title}: {answer}")

    def since_start(self) -> float:
        """Return the seconds since the process was asked for."""
        return time.perf_counter() - self.begun

    def cpu_seconds(self) -> float:
        """Return what the process has used so far, all threads, in user and kernel mode."""
        return float(self.say(b"usage\n")["cpu"])

    def memory(self, field: str = "VmRSS") -> float:
        """Return the process's memory in MB, one of the fields of /proc/PID/status; 0 where there is no /proc."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return 0.0
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(field))
        return int(line.split()[1]) / 1024

    def finish(self) -> None:
        """Let the process end by itself."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        self._answers.close()

    def end(self) -> float:
        """End the process at once; return the CPU seconds it has used."""
        if self.process.returncode is not None:
            return 0.0
        assert self.process.stdin
        self.process.kill()
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdin.close()
        self._answers.close()
        return used.ru_utime + used.ru_stime


def _node() -> str:
    found = shutil.which("node")
    assert found
    return found
