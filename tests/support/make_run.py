"""`make run` as a process on free ports."""

import os
import subprocess
import sys
import time

import requests

from tests.support.ports import free_ports
from tests.support.stack import PROJECT


class Run:
    """`python -m devstack`, as make starts it, on four free ports."""

    def __init__(self) -> None:
        self.ports = {name: int(port) for name, port in free_ports().items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "devstack"],
            cwd=PROJECT,
            # Settings of a laptop that the stack must ignore.
            env={
                **os.environ,
                **{name: str(port) for name, port in self.ports.items()},
                "STAGE": "prod",
                "RESOURCES_STAGE": "prod",
                "ADMIN_PHONE": "+4915112345678",
                "AWS_PROFILE": "production",
                "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1",
                "HTTP_PROXY": "http://127.0.0.1:1",
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.ports[part]}"

    def wait_until_ready(self) -> None:
        while self.process.poll() is None:
            try:
                if requests.get(self.url("API_PORT") + "/health", timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(self.process.communicate()[0])
