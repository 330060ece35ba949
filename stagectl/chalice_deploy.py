"""Runs `chalice deploy` for a stage, after correcting what Chalice remembers of the last deploy."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagectl import deployed, project, stages
from stagectl.context import Context
from stagectl.operator_error import OperatorError
from stagectl.target import Target

_TRACEBACK = "Traceback (most recent call last):"
_OF_OTHER_CREDENTIALS = {"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION"}
_ERROR = "received the following error:"  # Chalice's last words before AWS's message


def run(context: Context, target: Target) -> None:
    """Deploy a stage's functions and API, as a step of `stagectl deploy`.

    :raises OperatorError: Chalice failed.
    """
    app = project.current()
    _correct_record(target, app.folder)
    command = [str(Path(sys.executable).with_name("chalice")), "deploy", "--stage", target.stage]
    process = subprocess.Popen(  # noqa: S603 - the stage is a declared one
        command,
        cwd=app.folder,
        env=environment(target, os.environ),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if context.debug or _TRACEBACK not in lines:
                context.output.note("  " + line.rstrip())
    finally:
        process.wait()  # an interruption reaches Chalice too, which finishes its current call
    if process.returncode:
        remedy = "Fix the cause, then repeat the command. What is deployed already stays."
        raise OperatorError(f"chalice deploy failed: {reason(lines)}", remedy)
    context.output.mark("ok", f"{target.stage} is deployed at {deployed.url(target)}.")


def environment(target: Target, shell: Mapping[str, str]) -> dict[str, str]:
    """Return Chalice's environment: the shell's, with the same credentials as the target's.

    Passing the profile alone would make Chalice prompt for an MFA code again.
    """
    frozen = target.session.get_credentials().get_frozen_credentials()
    # Chalice imports app.py, which would read its variables from the shell, where they may contradict --stage.
    left_out = project.current().config.VARIABLES | _OF_OTHER_CREDENTIALS
    return {
        **{name: value for name, value in shell.items() if name not in left_out},
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
        "AWS_DEFAULT_REGION": target.region,
        **({"AWS_SESSION_TOKEN": frozen.token} if frozen.token else {}),
        **({"AWS_PROFILE": target.profile} if target.profile else {}),  # its other settings
    }


def reason(lines: list[str]) -> str:
    """Return the error message in the output of `chalice deploy`.

    Chalice wraps the message after 79 characters, also within a word, and indents each line by a space.
    """
    starts = [number for number, line in enumerate(lines, 1) if line.endswith(_ERROR)]
    if starts:
        return " ".join("\n".join(lines[starts[-1] :]).replace("\n ", "").split())
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")


def _correct_record(target: Target, folder: Path) -> None:
    """Correct Chalice's record of what is deployed, a file of this checkout that it writes at the end of a deploy.

    The API is added: without it, a deploy after an interruption or from another checkout would make a second API with
    another address. The subscription is removed: Chalice would keep it, although a function that was recreated since no
    longer lets SNS invoke it. Subscribing again changes nothing else.
    """
    file = folder / ".chalice" / "deployed" / f"{target.stage}.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    record: dict[str, Any] = {"schema_version": "2.0", "backend": "api", "resources": []}
    # A record of another account names nothing that this deploy may change.
    if before and f":{target.region}:{target.account_region.account}:" in json.dumps(before):
        record = before
    resources = [it for it in record["resources"] if it["resource_type"] != "sns_event"]
    apis = deployed.apis(target)
    if apis and not any(it.get("rest_api_id") in [api.id for api in apis] for it in resources):
        api = {
            "name": "rest_api",
            "resource_type": "rest_api",
            "rest_api_id": apis[0].id,
            "rest_api_url": apis[0].url + "/",
        }
        resources = [it for it in resources if it["name"] != "rest_api"] + [api]
    if resources or before:
        stages.write_json(file, {**record, "resources": resources})
