"""Runs the Lambda functions deployed into moto, with AWS's runtime client, in containers that stay warm."""

import base64
import contextlib
import io
import json
import os
import sys
import sysconfig
import tempfile
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

from devstack.runtime_api import LambdaContainer, NoResponseError, RuntimeApiError
from tests.support.cloud.policies import allows
from tests.support.cloud.principals import assume, find_identity, policies_of

_MAX_CONTAINERS = 8  # per function; further invocations wait for one
_INIT = 10.0  # seconds that Lambda allows for an init
_LOG_TAIL = 4096  # bytes
_ATTEMPTS = 3  # at an asynchronous event: Lambda retries it twice
_PAUSE = 0.2  # seconds between attempts


@dataclass(frozen=True)
class Result:
    """The result of an invocation: its payload, whether that is an error, and the function's log."""

    payload: bytes
    failed: bool
    log: str


class Functions:
    """Runs the functions of all accounts. ``invoked``: each invocation's function ARN and event."""

    def __init__(
        self,
        folder: Path,
        environment: Callable[[], dict[str, str]],
        logs: Callable[[str], None],
        environments: Callable[[str], None],
    ) -> None:
        """Start no container.

        :param folder: for the unpacked packages.
        :param environment: returns the variables of every container: the addresses of AWS and the internet.
        :param logs: receives each invocation's log.
        :param environments: receives each container's environment.
        """
        self._folder = folder
        self._environment = environment
        self._logs = logs
        self._environments = environments
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}
        self._asynchronous = ThreadPoolExecutor(8, "lambda event")
        self.invoked: list[tuple[str, Any]] = []

    def stop(self) -> None:
        """End all containers."""
        self._asynchronous.shutdown(wait=True, cancel_futures=True)
        self.forget()

    def forget(self) -> None:
        """End all containers, so that the next invocations are cold starts."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.retire()

    def invoke(self, function: LambdaFunction, event: Any) -> Result:
        """Invoke a function and wait for its result."""
        self.invoked.append((function.function_arn, event))
        pool = self._pool(function)
        request_id = str(uuid.uuid4())
        with pool.container() as container:
            result = container.run(event, request_id)
        self._logs(result.log)
        _write_log(function, result.log)
        return result

    def invoke_later(self, function: LambdaFunction, event: Any) -> None:
        """Invoke a function asynchronously. An invocation that fails is retried, as Lambda does."""

        def run() -> None:
            for _ in range(_ATTEMPTS):
                if not self.invoke(function, event).failed:
                    return
                time.sleep(_PAUSE)

        with contextlib.suppress(RuntimeError):  # the cloud is being closed
            self._asynchronous.submit(run)

    def _pool(self, function: LambdaFunction) -> "_Pool":
        """Return the containers of a function's current revision, and end those of an earlier one."""
        with self._lock:
            pool = self._pools.get(function.function_arn)
            if pool is not None and pool.revision == _revision(function):
                return pool
            environment = {**self._environment(), **_variables(function), **(function.environment_vars or {})}
            self._environments(json.dumps(environment))
            new = _Pool(function, self._unpacked(function), environment)
            self._pools[function.function_arn] = new
        if pool is not None:
            pool.retire()
        return new

    def _unpacked(self, function: LambdaFunction) -> Path:
        folder = self._folder / function.code_sha_256.replace("/", "_")
        if not folder.exists():
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
                package.extractall(folder)
        return folder


def _revision(function: LambdaFunction) -> tuple[Any, ...]:
    """Identify a revision: every update of code or configuration, even of the description, makes a new one."""
    return id(function), function.code_sha_256, getattr(function, "updates", 0)


class _Pool:
    """A function's containers, all of one revision."""

    def __init__(self, function: LambdaFunction, folder: Path, environment: dict[str, str]) -> None:
        self.revision = _revision(function)
        self._function, self._folder, self._environment = function, folder, environment
        self._slots = threading.BoundedSemaphore(_MAX_CONTAINERS)
        self._lock = threading.Lock()
        self._idle: list[_Container] = []
        self._retired = False

    @contextlib.contextmanager
    def container(self) -> Any:
        with self._slots:
            with self._lock:
                usable = [container for container in self._idle if container.usable]
                container = usable[-1] if usable else None
                self._idle = usable[:-1]
            container = container or _Container(self._function, self._folder, self._environment)
            try:
                yield container
            finally:
                with self._lock:
                    usable = container.usable and not self._retired
                    if usable:
                        self._idle.append(container)
                if not usable:
                    container.end()

    def retire(self) -> None:
        """End the containers, busy ones after their current invocation."""
        with self._lock:
            self._retired = True
            idle, self._idle = self._idle, []
        for container in idle:
            container.end()


class _Container(LambdaContainer):
    """A container with Lambda's environment: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""

    def __init__(self, function: LambdaFunction, folder: Path, environment: dict[str, str]) -> None:
        self._function = function
        super().__init__(
            folder, function.handler, environment, isolated=True, timeout=function.timeout, arn=function.function_arn
        )
        self.usable = True
        self._reported = 0
        self.__enter__()
        threading.Thread(target=self._watch, name="lambda container", daemon=True).start()

    def _variables(self) -> dict[str, str]:
        variables = super()._variables()
        if not (self._folder / "stripe").exists():  # packaged without its dependencies
            installed = {sysconfig.get_path("purelib"): None, sysconfig.get_path("platlib"): None}
            variables["PYTHONPATH"] = os.pathsep.join(installed)
        return variables

    def _watch(self) -> None:
        status = self.process.wait()
        self.usable = False
        self.api.container_ended(f"Runtime exited with error: exit status {status}")

    def run(self, event: Any, request_id: str) -> Result:
        started = time.monotonic()
        failed = True
        try:
            result = json.dumps(self.api.invoke(event, self._function.timeout + _INIT, request_id))
            failed = False
        except NoResponseError as error:
            result = json.dumps(self._no_response(str(error), request_id))
            self.usable = False
        except RuntimeApiError as error:
            result = json.dumps(error.report)
            self.usable = self.process.poll() is None and self.api.initialized.is_set()
        took = (time.monotonic() - started) * 1000
        log = f"START RequestId: {request_id} Version: $LATEST\n{self._new_output()}END RequestId: {request_id}\n"
        return Result(result.encode(), failed, f"{log}REPORT RequestId: {request_id}\tDuration: {took:.2f} ms\n")

    def end(self) -> None:
        self.usable = False
        self.__exit__()

    def _no_response(self, message: str, request_id: str) -> dict[str, str]:
        prefix = f"RequestId: {request_id} Error: "
        if self.process.poll() is None:
            return {"errorMessage": f"{prefix}Task timed out after {self._function.timeout}.00 seconds"}
        return {"errorType": "Runtime.ExitError", "errorMessage": prefix + message}

    def _new_output(self) -> str:
        output = self.output()
        new, self._reported = output[self._reported :], len(output)
        return new


def _variables(function: LambdaFunction) -> dict[str, str]:
    credentials = assume(function.role, function.function_name, function.region)
    version = sys.version_info
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version.major}.{version.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }


def _write_log(function: LambdaFunction, log: str) -> None:
    """Write a function's log to CloudWatch Logs if its role allows it."""
    group = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{function.logs_group_name}:log-stream:x"
    policies = policies_of(find_identity(function.role)).values()
    if all(allows(policies, f"logs:{action}", group) for action in ("CreateLogStream", "PutLogEvents")):
        function.logs_backend.ensure_log_group(function.logs_group_name)
        function.save_logs(log)


def tail(log: str) -> str:
    """Return the end of a log as Invoke returns it: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""
    return base64.b64encode(log.encode()[-_LOG_TAIL:]).decode()


def scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="notes-billing-cloud-")
