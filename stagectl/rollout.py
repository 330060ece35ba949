"""Replaces the containers of the deployed functions, and waits until they use a new version of a secret.

A container keeps the value that it read when it started, until the value is rejected. Changing a function's
configuration gives every later invocation a new container, once Lambda reports the update as done (Lambda API
reference, UpdateFunctionConfiguration).
The app's PROBES fetch the version that a function uses.
"""

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from stagectl import deployed, project, stages
from stagectl.context import Context
from stagectl.operator_error import OperatorError
from stagectl.target import Target

# A response may still come from an old container, so several in a row are required.
_REQUIRED_IN_A_ROW = 3
_PAUSE = 1.0  # seconds

Probe = Callable[[Any, str], int | None]  # called with boto3's Lambda client and the function's name


def has_probe(secret: str) -> bool:
    """Return whether the app can fetch the version of a secret that a function uses."""
    return secret in project.hook("PROBES")


def roll_out(
    context: Context, target: Target, secret: str, version: int, wait: float, *, pause: float = _PAUSE
) -> None:
    """Replace the containers of every function that reads the secret, and wait until they use the version.

    :param target: the stage. Functions of other stages that read the same parameter are replaced too.
    :param secret: a secret with a probe.
    :param version: the parameter's version to wait for.
    :param wait: seconds to wait for each function.
    :param pause: seconds before a function that uses another version is asked again.
    :raises OperatorError: a function does not use the version in time.
    """
    probe, label = project.hook("PROBES")[secret], project.current().secret(secret).label
    readers = [
        context.target(stage)
        for stage in stages.declared()
        if stages.config_of(stage).parameter(secret) == target.config.parameter(secret)
    ]
    names = [reader.function_name for reader in readers if deployed.function(target, reader.function_name)]
    if not names:
        context.output.mark("ok", "No function is deployed yet. It will read this version after the next deploy.")
    functions = target.client("lambda")
    for name in names:
        description = f"{label}: version {version},"
        with context.output.working(f"Updating {name} to version {version}"):
            _replace_containers(functions, name, description, version, probe)
            _wait_until_used(functions, name, version, wait, probe, pause)
        context.output.mark("ok", f"{name} uses version {version}.")


def _replace_containers(functions: Any, name: str, description: str, version: int, probe: Probe) -> None:
    """Give the function new containers, unless an earlier run did so and they use the version."""
    updated = functions.get_waiter("function_updated_v2")
    updated.wait(FunctionName=name)
    current = str(functions.get_function_configuration(FunctionName=name).get("Description", ""))
    if current.startswith(description) and (probe(functions, name) or 0) >= version:
        return
    # Lambda replaces containers only if the configuration changes, so the description contains the time.
    description = f"{description} since {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S.%f} UTC"
    functions.update_function_configuration(FunctionName=name, Description=description)
    updated.wait(FunctionName=name)


def _wait_until_used(functions: Any, name: str, version: int, wait: float, probe: Probe, pause: float) -> None:
    deadline, in_a_row, last = time.monotonic() + wait, 0, "no version"
    while in_a_row < _REQUIRED_IN_A_ROW:
        used = probe(functions, name)
        in_a_row = in_a_row + 1 if used is not None and used >= version else 0
        last = last if used is None else f"version {used}"
        if time.monotonic() > deadline:
            raise OperatorError(
                f"{name} did not use version {version}, which is stored, within {wait:g} s. Its log shows {last}.",
                "Don't revoke the old value. Read the log; deploy if it shows no version. Then repeat this command.",
                f"aws logs tail /aws/lambda/{name} --since 5m",
            )
        if not in_a_row:
            time.sleep(pause)
