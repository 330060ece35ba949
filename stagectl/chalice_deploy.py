"""Runs `chalice deploy` for a stage, with AWS's view of what is deployed already."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stagectl import deployed, stages
from stagectl.errors import OperatorError
from stagectl.output import Output
from stagectl.target import Target

_TRACEBACK = "Traceback (most recent call last):"
_ERROR = "received the following error:"  # Chalice's last words before what AWS said


def run(target: Target, output: Output, project: Path = stages.FOLDER, *, debug: bool = False) -> None:
    """Deploy a stage's functions and API.

    :param project: the folder that Chalice is to deploy.
    :param debug: show Chalice's traceback too.
    :raises OperatorError: Chalice refused; it has said why.
    """
    _recall(target, project)
    command = [str(Path(sys.executable).with_name("chalice")), "deploy", "--stage", target.stage]
    if target.profile:
        command += ["--profile", target.profile]  # in the environment, access keys there would win over it
    environment = _environment(target)
    process = subprocess.Popen(  # noqa: S603 - the stage is a declared one
        command, cwd=project, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout
    lines = []
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if debug or _TRACEBACK not in lines:
                output.note("  " + lines[-1])
    finally:
        process.wait()  # an interruption reaches Chalice too, which ends what it is doing
    if process.returncode:
        raise OperatorError(
            f"chalice deploy failed: {_reason(lines)}", "Mend that, and repeat; what is deployed already stays."
        )


def _reason(lines: list[str]) -> str:
    """Return what Chalice said of an error: it wraps the text, and a traceback is before it."""
    said = [line.strip() for line in lines if line.strip()] or ["it said nothing."]
    marks = [number for number, line in enumerate(said) if line.endswith(_ERROR)]
    return " ".join(said[marks[-1] + 1 :] if marks else said[-1:])


def _recall(target: Target, project: Path) -> None:
    """Correct what Chalice remembers of the stage, in a file of this checkout that it writes at the end of a deploy.

    The API is told to it: without that, a deploy after an interrupted one, or from another checkout, would make a
    second API with another address. The subscription is kept from it: it would be taken for whole though the function
    was made again since and lets SNS in no more. To subscribe again changes nothing else.
    """
    file = project / ".chalice" / "deployed" / f"{target.stage}.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    known: dict[str, Any] = {"schema_version": "2.0", "backend": "api", "resources": []}
    # A stage that was in another account before has nothing there that is Chalice's to change now.
    if before and f":{target.region}:{target.home.account}:" in json.dumps(before):
        known = before
    resources = [it for it in known["resources"] if it["resource_type"] != "sns_event"]
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
        stages.write_json(file, {**known, "resources": resources})


def _environment(target: Target) -> dict[str, str]:
    """Return the shell's environment with the region in use, and without a stage of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHALICE}
    environment["AWS_DEFAULT_REGION"] = target.region
    return environment


# app.py is imported by Chalice, and reads these of the shell: a stage of the shell's would contradict --stage.
_NOT_FOR_CHALICE = {"STAGE", "RESOURCES_STAGE", "STRIPE_API_BASE", "NOTE_PURCHASED_TOPIC", "ADMIN_PHONE", "CORS_ORIGIN"}
