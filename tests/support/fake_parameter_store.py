"""A fake Parameter Store with one parameter, and a clock that only the tests move."""

import threading
from collections.abc import Callable

from chalicelib.aws.client import ThrottledError
from chalicelib.aws.ssm import Parameter

CANARY = "sk_test_canaryCanaryCanary0123456789"


class FakeStore:
    """Holds one parameter. ``errors``: of the next calls. Calls hang while ``open`` is not set.

    ``now`` is the time of :meth:`clock`, which only :meth:`sleep` and the tests move. ``delays``: what was slept.
    """

    def __init__(self, value: str) -> None:
        self.parameter = Parameter("SecureString", value, 1)
        self.errors: list[Exception] = []
        self.calls = 0
        self.open = threading.Event()
        self.open.set()
        self.throttled_until = self.now = 0.0
        self.delays: list[float] = []

    def put(self, value: str) -> None:
        self.parameter = Parameter("SecureString", value, (self.parameter.version or 0) + 1)

    def get(self, _name: str) -> Parameter:
        parameter, is_open = self.parameter, self.open
        self.calls += 1
        is_open.wait(10)
        if self.errors:
            raise self.errors.pop(0)
        if self.now < self.throttled_until:
            raise ThrottledError("ThrottlingException (400)")
        return parameter

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.now += seconds


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)
