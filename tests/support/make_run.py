"""`make run` as a process on free ports."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests

from tests.support.ports import free_ports
from tests.support.stack import PROJECT, PURCHASE, eventually

# Settings of a laptop that the stack must ignore.
_LAPTOP = {
    "STAGE": "prod",
    "RESOURCES_STAGE": "prod",
    "ADMIN_PHONE": "+4915112345678",
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
}


class Run:
    """`python -m devstack`, as make starts it, on four free ports."""

    def __init__(self, project: Path = PROJECT, **environment: str) -> None:
        ports = {**free_ports(), **environment}
        self.ports = {name: int(port) for name, port in ports.items()}
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would block the stack
        self.process = subprocess.Popen(
            [sys.executable, "-m", "devstack"],
            cwd=project,
            env={**os.environ, **_LAPTOP, **ports},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.ports[part]}"

    def wait_until_ready(self) -> "Run":
        assert eventually(lambda: self.process.poll() is not None or "curl " in self.output()), self.output()
        assert self.process.poll() is None, self.output()
        return self

    def output(self) -> str:
        """Return what it has printed so far."""
        return os.pread(self._output.fileno(), 1_000_000, 0).decode()

    def processes(self) -> list[int]:
        """Return the ids of its child processes."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in listed.read_text().split()] if listed.exists() else []

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def pay(self, **fields: object) -> requests.Response:
        return requests.post(self.url("API_PORT") + "/billing", json={**PURCHASE, **fields}, timeout=60)

    def get(self, path: str) -> Any:
        """Return the JSON of the API at a path."""
        return requests.get(self.url("API_PORT") + path, timeout=60).json()

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        listed = requests.get(self.url("CONSOLE_PORT") + "/events", timeout=60).json()
        return [event for event in listed if kind in ("", event["kind"])]


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
