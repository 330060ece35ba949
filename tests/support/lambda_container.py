"""A Lambda container in a process of its own, and the events that API Gateway sends it."""

import json
import subprocess
import sys
from typing import Any

from tests import APP, PROJECT
from tests.support.stack import Stack, environment_of, logs, transcript


class ContainerResponse:
    """A container's response, in API Gateway's proxy format."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.status_code: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.text: str = response["body"]

    def json(self) -> Any:
        return json.loads(self.text)


class Container:
    """A Lambda container: imports app.py as Lambda does, then handles one event after the other."""

    def __init__(self, stack: Stack, stage: str = "dev", **environment: str) -> None:
        self._stack = stack
        self.variables = {**stage_variables(stage), **environment}

    def __enter__(self) -> "Container":
        environment = {**self._stack.environment(), **self.variables, "AWS_LAMBDA_FUNCTION_NAME": "notes-billing"}
        if self.variables.get("STAGE") == "prod":
            del environment["STRIPE_API_BASE"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.container"],
            cwd=APP,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._receive() == {"initialized": True}, self.output()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.output()

    def output(self) -> str:
        """End the process, and return everything it printed."""
        transcript.append(environment_of(self._process.pid))
        _, errors = self._process.communicate()
        logs.append(errors)
        return errors

    def invoke(self, event: dict[str, Any]) -> ContainerResponse:
        return ContainerResponse(self._send({"event": event})["response"])

    def post(self, body: object, caller: str = "us-east-1:cognito-identity", **headers: str) -> ContainerResponse:
        return self.invoke(billing_event(body, caller, **headers))

    def invoke_and_kill(self, event: dict[str, Any], after: float | None) -> ContainerResponse | None:
        """Handle the event in a fork of the container, which SIGKILL ends after ``after`` seconds."""
        response = self._send({"event": event, "fork": True, "kill_after": after})["response"]
        return response and ContainerResponse(response)

    def _send(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._receive()

    def _receive(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        transcript.append(line)
        return json.loads(line) if line else None


def billing_event(body: object, caller: str = "us-east-1:cognito-identity", **headers: str) -> dict[str, Any]:
    """Return the event of POST /billing that API Gateway sends for a signed request."""
    identity = {"cognitoIdentityId": caller} if ":user/" not in caller else {"userArn": caller}
    request = {"path": "/api/billing", "resourcePath": "/billing", "httpMethod": "POST", "identity": identity}
    return {
        "resource": "/billing",
        "path": "/billing",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()},
        **dict.fromkeys(("multiValueQueryStringParameters", "pathParameters", "stageVariables")),
        "requestContext": request,
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def stage_variables(stage: str) -> dict[str, str]:
    """Return the environment variables that Chalice sets for a stage's functions."""
    project = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    own = project["stages"].get(stage, {}).get("environment_variables", {})
    return {**project["environment_variables"], **own}
