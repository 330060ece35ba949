"""Checks ``.chalice/config.json`` before Chalice acts on it.

Chalice imports app.py for ``chalice deploy``, ``package`` and ``local``, which is the one moment when a stage that is
written down wrongly can be stopped. Nothing of this runs in Lambda.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalice.config import Config

from chalicelib.config import ConfigError, load
from chalicelib.key_formats import STRIPE_SECRET

# The API answers within 25 s and API Gateway cuts a request off at 29 s, so the function is stopped in between
# (API Gateway quotas: integration timeout).
_TIMEOUT_SECONDS = range(26, 30)

_API, _NOTIFY = "api_handler", "notify"  # Chalice's name for the function of all routes, and ours of app.py
_UNDECLARED = "outside 'stages' (what a stage that is not declared gets)"
_APP_NAME = "notes-billing"


def check(folder: Path | None = None) -> None:
    """Check that every stage of the project can be deployed as what its name says.

    :param folder: the project's ``.chalice`` folder; the one beside app.py if left out.
    :raises ConfigError: a setting makes no sense; the message names the stage and the setting.
    """
    folder = folder or Path(__file__).resolve().parent.parent / ".chalice"
    project = read(folder)
    if project.get("app_name") != _APP_NAME:
        raise ConfigError(f".chalice/config.json: app_name must be {_APP_NAME!r}, which the policies name.")
    stages = project.get("stages")
    if not isinstance(stages, dict) or "prod" not in stages:
        raise ConfigError(".chalice/config.json: 'stages' must be an object that has 'prod'.")
    for path, value in _strings(project, ""):
        if STRIPE_SECRET.search(value):
            raise ConfigError(f".chalice/config.json, {path}: that is a secret; secrets belong in Parameter Store.")
    for stage in (_UNDECLARED, *stages):
        for function in (_API, _NOTIFY):
            try:
                _check_function(folder, project, stage, function)
            except (AttributeError, TypeError, ValueError) as error:  # Chalice takes the file's form for granted
                raise ConfigError(f".chalice/config.json, {stage}: not of the form Chalice reads: {error}.") from error


def read(folder: Path) -> dict[str, Any]:
    """Read the project's configuration.

    :param folder: the project's ``.chalice`` folder.
    :raises ConfigError: it can't be read, or is no object.
    """
    try:
        project = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f".chalice/config.json can't be read: {error}.") from error
    if not isinstance(project, dict):
        raise ConfigError(".chalice/config.json must be an object.")
    return project


def _check_function(folder: Path, project: dict[str, Any], stage: str, function: str) -> None:
    """Check what Chalice makes of the file for one function of a stage."""
    where = f".chalice/config.json, {stage}, {function}: "
    chalice = Config(chalice_stage=stage, function_name=function, config_from_disk=project)
    variables = dict(chalice.environment_variables)
    for name, value in variables.items():
        if not isinstance(value, str):
            raise ConfigError(where + f"{name} must be a string.")
        if name.startswith("AWS_"):
            raise ConfigError(where + f"{name} is Lambda's to set: remove it.")
    try:
        config = load(variables)
    except ConfigError as error:
        raise ConfigError(where + str(error)) from error
    if config.stage != ("dev" if stage == _UNDECLARED else stage):
        raise ConfigError(where + f"STAGE is {config.stage!r}; it must be the stage's own name, and 'dev' outside.")
    if config.note_purchased_topic != f"NotePurchased-{config.resources_stage}":
        raise ConfigError(where + f"NOTE_PURCHASED_TOPIC must be 'NotePurchased-{config.resources_stage}'.")
    if stage == "prod" and not config.cors_origin.startswith("https://"):
        raise ConfigError(where + f"CORS_ORIGIN is {config.cors_origin!r}: name the site, such as https://example.com.")
    if function == _API and chalice.lambda_timeout not in _TIMEOUT_SECONDS:
        raise ConfigError(where + "lambda_timeout must be a number, 26 to 29 (seconds).")
    if chalice.autogen_policy is not False:
        # Chalice's generated policy grants ssm:GetParameter on every parameter.
        raise ConfigError(where + "autogen_policy must be false.")
    if chalice.iam_role_arn:
        raise ConfigError(where + "iam_role_arn must be absent: the role is made of iam_policy_file.")
    policy = f"policy-{config.resources_stage}{'' if function == _API else '-' + function}.json"
    if chalice.iam_policy_file != policy or not (folder / policy).is_file():
        raise ConfigError(where + f"iam_policy_file must be {policy!r}, a file in .chalice.")


def _strings(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield every string in a JSON value, with where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, path)
