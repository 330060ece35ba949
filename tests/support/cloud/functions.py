"""Runs the Lambda functions deployed into moto, with AWS's runtime client, in containers that stay warm."""

import base64
import io
import json
import os
import sysconfig
import threading
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.sns.models import Subscription

from devstack.runtime_api import LambdaContainer, RuntimeApiError
from tests.support import iam
from tests.support.cloud.principals import assume
from tests.support.stack import logs, transcript

_LOG_TAIL = 4096  # bytes, see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html


@dataclass(frozen=True)
class Result:
    """The result of an invocation, and the function's log."""

    payload: bytes
    log: str


class Functions:
    """Runs the functions of all accounts."""

    def __init__(self, folder: Path, environment: Callable[[], dict[str, str]]) -> None:
        """:param folder: for the unpacked packages.
        :param environment: returns the variables of every container: the addresses of AWS and the internet.
        """
        self._folder, self._environment = folder, environment
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Container]] = {}  # by revision
        self._asynchronous = ThreadPoolExecutor(8, "lambda event")

    def connect(self, patch: pytest.MonkeyPatch) -> None:
        """Make moto run functions, for Lambda's Invoke and for a message that SNS delivers."""
        deliver, update_configuration = Subscription.publish, LambdaFunction.update_configuration

        def invoke(function: LambdaFunction, body: Any, _request_headers: Any, response_headers: Any) -> bytes:
            result = self.invoke(function, json.loads(body) if body else {})
            response_headers["x-amz-log-result"] = base64.b64encode(result.log.encode()[-_LOG_TAIL:]).decode()
            return result.payload

        def publish(subscription: Subscription, message: str, message_id: str, **rest: Any) -> None:
            if subscription.protocol != "lambda":
                deliver(subscription, message, message_id, **rest)
                return
            function = find_function(subscription.endpoint)
            if function and may_invoke("sns.amazonaws.com", function, subscription.topic.arn):
                notification = {"Message": message, "Subject": None, "MessageAttributes": rest["message_attributes"]}
                self._asynchronous.submit(self.invoke, function, {"Records": [{"Sns": notification}]})

        def configure(function: LambdaFunction, updates: dict[str, Any]) -> Any:
            function.tracing_config = updates.get("TracingConfig", function.tracing_config)  # which moto ignores
            return update_configuration(function, updates)

        patch.setattr(LambdaFunction, "invoke", invoke)
        patch.setattr(Subscription, "publish", publish)
        patch.setattr(LambdaFunction, "update_configuration", configure)

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
        """Invoke a function in an idle container of its current revision, or else in a new one."""
        revision = _revision(function)
        with self._lock:
            idle = self._idle.setdefault(revision, [])
            container = idle.pop() if idle else None
        if container is None:
            environment = {**self._environment(), **_variables(function), **(function.environment_vars or {})}
            transcript.append(json.dumps(environment))
            container = _Container(function, self._unpacked(function), environment)
        result = container.run(event)
        if container.is_usable:
            with self._lock:
                self._idle.setdefault(revision, []).append(container)
        else:
            container.__exit__()
        logs.append(result.log)
        return result

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


def may_invoke(service: str, function: LambdaFunction, source: str) -> bool:
    """Tell whether a function's own policy lets a service invoke it on behalf of a source's ARN."""
    policy = {"Statement": function.policy.statements}
    return iam.is_allowed_for_service(policy, service, "lambda:InvokeFunction", function.function_arn, source)


def _revision(function: LambdaFunction) -> str:
    """Identify a function's code and configuration, whose description is a part of it too."""
    return f"{id(function)} {function.get_configuration()}"


class _Container(LambdaContainer):
    """A running container of one revision."""

    def __init__(self, function: LambdaFunction, folder: Path, environment: dict[str, str]) -> None:
        limits = {"timeout": function.timeout, "arn": function.function_arn}
        super().__init__(folder, function.handler, environment, isolated=True, **limits)
        self.is_usable, self._reported = True, 0
        self.__enter__()

    def run(self, event: Any) -> Result:
        request_id = str(uuid.uuid4())
        try:
            payload = self.invoke(event, request_id=request_id)
        except RuntimeApiError as error:
            self.is_usable = False
            payload = error.report or {"errorMessage": f"RequestId: {request_id} Error: {error}"}
        output = self.output()
        new, self._reported = output[self._reported :], len(output)
        log = f"START RequestId: {request_id}\n{new}END RequestId: {request_id}\nREPORT RequestId: {request_id}\n"
        return Result(json.dumps(payload).encode(), log)

    def _variables(self) -> dict[str, str]:
        variables = super()._variables()
        if not (self._folder / "stripe").exists():  # packaged without its dependencies
            installed = {sysconfig.get_path("purelib"): None, sysconfig.get_path("platlib"): None}
            variables["PYTHONPATH"] = os.pathsep.join(installed)
        return variables


def _variables(function: LambdaFunction) -> dict[str, str]:
    """Return the used ones of https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
    credentials = assume(function.role, function.function_name, function.region)
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }
