"""Runs the Lambda functions deployed into moto, with AWS's runtime client, in containers that stay warm."""

import io
import json
import os
import sysconfig
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend

from devstack.runtime_api import FunctionError, LambdaContainer, RuntimeApiError
from tests.support.cloud.principals import assume
from tests.support.stack import logs, transcript

_INIT = 10.0  # seconds that Lambda allows for an init


@dataclass(frozen=True)
class Result:
    """The result of an invocation: its payload, whether that is an error, and the function's log."""

    payload: bytes
    failed: bool
    log: str


class Functions:
    """Runs the functions of all accounts. ``invoked``: each invocation's function ARN and event."""

    def __init__(self, folder: Path, environment: Callable[[], dict[str, str]]) -> None:
        """Start no container.

        :param folder: for the unpacked packages.
        :param environment: returns the variables of every container: the addresses of AWS and the internet.
        """
        self._folder, self._environment = folder, environment
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Container]] = {}  # by ARN
        self._asynchronous = ThreadPoolExecutor(8, "lambda event")
        self.invoked: list[tuple[str, Any]] = []

    def stop(self) -> None:
        """End all containers."""
        self._asynchronous.shutdown(wait=True, cancel_futures=True)
        self.forget()

    def forget(self) -> None:
        """End the idle containers, so that the next invocations are cold starts."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for containers in idle.values():
            for container in containers:
                container.__exit__()

    def invoke(self, function: LambdaFunction, event: Any) -> Result:
        """Invoke a function and wait for its result."""
        self.invoked.append((function.function_arn, event))
        container = self._take(function)
        result = container.run(event)
        if container.serves(function):
            with self._lock:
                self._idle.setdefault(function.function_arn, []).append(container)
        else:
            container.__exit__()
        logs.append(result.log)
        return result

    def invoke_later(self, function: LambdaFunction, event: Any) -> None:
        """Invoke a function asynchronously."""
        self._asynchronous.submit(self.invoke, function, event)

    def _take(self, function: LambdaFunction) -> "_Container":
        """Return an idle container of a function's current revision, or else a new one."""
        while True:
            with self._lock:
                idle = self._idle.get(function.function_arn)
                container = idle.pop() if idle else None
            if container is None:
                break
            if container.serves(function):
                return container
            container.__exit__()
        environment = {**self._environment(), **_variables(function), **(function.environment_vars or {})}
        transcript.append(json.dumps(environment))
        return _Container(function, self._unpacked(function), environment)

    def _unpacked(self, function: LambdaFunction) -> Path:
        folder = self._folder / function.code_sha_256.replace("/", "_")
        with self._lock:
            if not folder.exists():
                with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
                    package.extractall(folder)
        return folder


def find_function(arn: str) -> LambdaFunction | None:
    """Return moto's function with an ARN."""
    region, account = arn.split(":")[3:5]
    return next((f for f in get_backend(account, region).list_functions() if f.function_arn == arn), None)


def _revision(function: LambdaFunction) -> tuple[Any, ...]:
    """Identify a revision: every update of code or configuration, even of the description, makes a new one."""
    return id(function), function.code_sha_256, getattr(function, "updates", 0)


class _Container(LambdaContainer):
    """A running container of one revision."""

    def __init__(self, function: LambdaFunction, folder: Path, environment: dict[str, str]) -> None:
        timeout, arn = function.timeout, function.function_arn
        super().__init__(folder, function.handler, environment, isolated=True, timeout=timeout, arn=arn)
        self._revision, self._timeout, self._usable, self._reported = _revision(function), timeout, True, 0
        self.__enter__()
        threading.Thread(target=self._watch, name="lambda container", daemon=True).start()

    def serves(self, function: LambdaFunction) -> bool:
        return self._usable and self._revision == _revision(function)

    def run(self, event: Any) -> Result:
        request_id, started = str(uuid.uuid4()), time.monotonic()
        try:
            payload, failed = self.api.invoke(event, self._timeout + _INIT, request_id), False
        except RuntimeApiError as error:
            self._usable = isinstance(error, FunctionError)  # otherwise it hangs or has ended
            payload, failed = error.report or {"errorMessage": f"RequestId: {request_id} Error: {error}"}, True
        output = self.output()
        new, self._reported = output[self._reported :], len(output)
        log = f"START RequestId: {request_id} Version: $LATEST\n{new}END RequestId: {request_id}\n"
        duration = (time.monotonic() - started) * 1000
        log += f"REPORT RequestId: {request_id}\tDuration: {duration:.2f} ms\n"
        return Result(json.dumps(payload).encode(), failed, log)

    def _variables(self) -> dict[str, str]:
        variables = super()._variables()
        if not (self._folder / "stripe").exists():  # packaged without its dependencies
            installed = {sysconfig.get_path("purelib"): None, sysconfig.get_path("platlib"): None}
            variables["PYTHONPATH"] = os.pathsep.join(installed)
        return variables

    def _watch(self) -> None:
        status = self.process.wait()
        self._usable = False
        self.api.container_ended(f"Runtime exited with error: exit status {status}")


def _variables(function: LambdaFunction) -> dict[str, str]:
    """Return the used ones of https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
    credentials = assume(function.role, function.function_name, function.region)
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }
