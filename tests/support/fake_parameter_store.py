"""A fake Parameter Store with one parameter, and a clock that only the tests move."""

import threading

from chalicelib.aws.client import ThrottledError
from chalicelib.aws.ssm import Parameter

CANARY = "sk_test_canaryCanaryCanary0123456789"


class Clock:
    """A monotonic clock that only :meth:`sleep` moves, which returns at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delays: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.now += seconds


class FakeParameterStore:
    """Holds one parameter. ``fail``: the errors of the next calls. Calls hang while ``open`` is not set."""

    def __init__(self, parameter: str | Parameter, fail: list[Exception] | None = None, clock: Clock | None = None):
        self.parameter = parameter if isinstance(parameter, Parameter) else Parameter("SecureString", parameter, 1)
        self.fail = fail or []
        self.calls = 0
        self.open = threading.Event()
        self.open.set()
        self.throttled_until = 0.0
        self._clock = clock

    def put(self, value: str) -> None:
        self.parameter = Parameter("SecureString", value, (self.parameter.version or 0) + 1)

    def get(self, _name: str) -> Parameter:
        parameter, is_open = self.parameter, self.open
        self.calls += 1
        is_open.wait(10)
        if self.fail:
            raise self.fail.pop(0)
        if self._clock and self._clock.now < self.throttled_until:
            raise ThrottledError("ThrottlingException (400)")
        return parameter
