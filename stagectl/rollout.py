"""Has the deployed functions take a new Stripe key, and sees that they did.

A container keeps the key that it read when it started. Changing a function's configuration gives every later
invocation a new container, once Lambda reports the update as done (Lambda API reference, UpdateFunctionConfiguration).
The version of the key in use is in the log line of each request.
"""

import base64
import json
import time
from datetime import datetime, timezone
from typing import Any

from stagectl import deployed, stages
from stagectl import target as targets
from stagectl.context import Context
from stagectl.errors import OperatorError
from stagectl.target import Target

# One answer may come from a container that was started a moment before the update ended.
_SEEN_IN_A_ROW = 3
_PAUSE = 1.0  # seconds
_DESCRIPTION = "Stripe key: version "

_HEALTH = {
    "resource": "/health",
    "path": "/health",
    "httpMethod": "GET",
    "headers": {},
    "multiValueHeaders": {},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": None,
    "stageVariables": None,
    "requestContext": {"resourcePath": "/health", "httpMethod": "GET", "path": "/api/health", "identity": {}},
    "body": None,
    "isBase64Encoded": False,
}


def everywhere(context: Context, target: Target, version: int, wait: float) -> None:
    """Have every deployed function that reads the stage's key use a version of it.

    :param target: a stage; the stages of branches share dev's key, so their functions are among them.
    :param version: of the key parameter.
    :param wait: seconds to wait for each function.
    :raises OperatorError: a function was not seen using it.
    """
    readers = [
        targets.of(stage, context.profile, context.region)
        for stage in stages.declared()
        if stages.config_of(stage).parameter("stripe-key") == target.config.parameter("stripe-key")
    ]
    names = [reader.function_name for reader in readers if deployed.function(target, reader.function_name)]
    if not names:
        context.output.mark("ok", "No function is deployed yet: the next deploy uses it.")
    for name in names:
        with context.output.working(f"Having {name} use version {version}"):
            if not _was_replaced_for(target.client("lambda"), name, version):
                _replace_containers(target.client("lambda"), name, version)
            _wait_until_used(target.client("lambda"), name, version, wait)
        context.output.mark("ok", f"{name} uses version {version}.")


def _was_replaced_for(functions: Any, name: str, version: int) -> bool:
    """Tell whether an earlier run gave the function new containers, and they could read the key."""
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    said = str(functions.get_function_configuration(FunctionName=name).get("Description", ""))
    return said.startswith(f"{_DESCRIPTION}{version},") and (_key_version(functions, name) or 0) >= version


def _replace_containers(functions: Any, name: str, version: int) -> None:
    """Give the function new containers. A description that is another one each time is a change for certain."""
    description = f"{_DESCRIPTION}{version}, since {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S.%f} UTC"
    functions.update_function_configuration(FunctionName=name, Description=description)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


def _wait_until_used(functions: Any, name: str, version: int, wait: float) -> None:
    give_up, seen, last = time.monotonic() + wait, 0, "nothing of a key"
    while seen < _SEEN_IN_A_ROW:
        said = _key_version(functions, name)
        seen = seen + 1 if said is not None and said >= version else 0
        last = last if said is None else f"version {said}"
        if time.monotonic() > give_up:
            raise OperatorError(
                f"{name} was not seen using version {version} of the key; its log says {last}.",
                f"Don't revoke the old key. Look at the log of {name}, deploy if it is an old release, and repeat.",
            )
        if not seen:
            time.sleep(_PAUSE)


def _key_version(functions: Any, name: str) -> int | None:
    """Ask a container for its health, past API Gateway, and return the key's version that its log line names."""
    answer = functions.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(_HEALTH).encode())
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    for line in reversed(log.splitlines()):
        _, brace, rest = line.partition("{")
        try:
            said = json.loads(brace + rest)
        except ValueError:
            continue
        if isinstance(said.get("key_version"), int):
            return int(said["key_version"])
    return None
