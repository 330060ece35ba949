"""Checks ``.chalice/config.json`` before Chalice acts on it.

Chalice imports app.py for ``chalice deploy``, ``package`` and ``local``. That is the one moment when a stage that is
declared wrongly can be stopped. This module never runs in Lambda.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from chalice.config import Config

from stagectl.operator_error import OperatorError
from stagectl.project import secret_pattern

_FILE = ".chalice/config.json"
_DIFF = f"git diff {_FILE}"
_FIX = "Nothing was changed. Fix this. To see how the file was changed:"
_RESTORE = "Nothing was changed. Restore the file and its permissions."

# The API responds within 25 s and API Gateway ends a request after 29 s, so Lambda stops the function in between
# (API Gateway quotas: integration timeout).
_TIMEOUT_SECONDS = range(26, 30)

_API, _NOTIFY = "api_handler", "notify"  # Chalice's names for the function of all routes and for app.py's other one
_UNDECLARED = "a stage that is not declared"


class ProjectError(OperatorError):
    """``.chalice/config.json`` is invalid. The message names the file, the place and the problem."""

    def __init__(self, place: str, problem: str, remedy: str = _FIX, command: str = _DIFF) -> None:
        super().__init__(f"{_FILE}, {place}: {problem}", remedy, command)


def find_problem(config: ModuleType) -> str | None:
    """Return what is wrong with the project of an app that Chalice imports, in one sentence, or None.

    :param config: the app's ``chalicelib.config``.
    """
    try:
        check(config, Path(config.__file__ or "").resolve().parent.parent / ".chalice")
    except ProjectError as error:
        return error.what
    return None


def check(config: ModuleType, folder: Path) -> None:
    """Check that each stage of the project deploys as the stage that its name says.

    :param config: the app's ``chalicelib.config``.
    :param folder: the project's ``.chalice`` folder.
    :raises ProjectError: a setting is invalid.
    """
    project = read(folder)
    stages = project.get("stages")
    if not isinstance(stages, dict):
        raise ProjectError("stages", "must be an object.")
    for row in config.STAGES:
        if not row.default and row.name not in stages:
            raise ProjectError("stages", f"must declare {row.name!r}.")
    secret = secret_pattern(config.SECRETS)
    for path, value in _paths(project, ""):
        if isinstance(value, str) and secret.search(value):
            stage = path.split(".")[1] if path.startswith("stages.") else default_stage(config)
            raise ProjectError(
                path,
                "that is a secret; secrets belong in Parameter Store.",
                "Remove it and revoke it, because git may have recorded it. Then store a new one:",
                f"stagectl secrets put --stage {stage}",
            )
    for stage in (_UNDECLARED, *stages):
        for function in (_API, _NOTIFY):
            try:
                _check_function(config, folder, project, stage, function)
            except (AttributeError, TypeError, ValueError) as error:  # Chalice does not check the file's form
                place = "stages" if stage == _UNDECLARED else f"stages.{stage}"
                raise ProjectError(place, f"not of the form that Chalice reads: {error}.") from error


def read(folder: Path) -> dict[str, Any]:
    """Read the project's configuration.

    :param folder: the project's ``.chalice`` folder.
    :raises ProjectError: it cannot be read, or is no JSON object.
    """
    try:
        project = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ProjectError(f"line {error.lineno}, column {error.colno}", f"invalid JSON: {error.msg}.") from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"byte {error.start}", "not UTF-8.", "Nothing was changed. Save it as UTF-8.", "") from error
    except OSError as error:
        raise ProjectError("the file", f"cannot be read: {error.strerror}.", _RESTORE, "") from error
    if not isinstance(project, dict):
        raise ProjectError("line 1", "must be a JSON object.")
    return project


def default_stage(config: ModuleType) -> str:
    """Return the name of the row of STAGES whose resources serve stages without a row."""
    return str(next(row.name for row in config.STAGES if row.default))


def _check_function(config: ModuleType, folder: Path, project: dict[str, Any], stage: str, function: str) -> None:
    """Check the settings that Chalice reads for one function of a stage."""

    def error(setting: str, problem: str) -> ProjectError:
        place = f"{_place(project, stage, function, setting)} ({stage}, {function})"
        return ProjectError(place, problem)

    chalice = Config(chalice_stage=stage, function_name=function, config_from_disk=project)
    variables = dict(chalice.environment_variables)
    for name, value in variables.items():
        if not isinstance(value, str):
            raise error(f"environment_variables.{name}", "must be a string.")
        if name.startswith("AWS_"):
            raise error(f"environment_variables.{name}", "only Lambda sets this variable: remove it.")
    try:
        loaded = config.load(variables)
    except config.ConfigError as invalid:
        raise error(f"environment_variables.{str(invalid).partition(' ')[0]}", str(invalid)) from invalid
    name = default_stage(config) if stage == _UNDECLARED else stage
    if loaded.stage != name:
        raise error("environment_variables.STAGE", f"STAGE is {loaded.stage!r}; it must be {name!r}.")
    topic = f"NotePurchased-{loaded.resources_stage}"
    if loaded.note_purchased_topic != topic:
        raise error("environment_variables.NOTE_PURCHASED_TOPIC", f"must be {topic!r}.")
    if loaded.livemode and not loaded.cors_origin.startswith("https://"):
        problem = f"CORS_ORIGIN is {loaded.cors_origin!r}; it must be the site's, such as https://example.com."
        raise error("environment_variables.CORS_ORIGIN", problem)
    if function == _API and chalice.lambda_timeout not in _TIMEOUT_SECONDS:
        raise error("lambda_timeout", "must be a number of seconds, 26 to 29.")
    if chalice.autogen_policy is not False:
        # Chalice's generated policy grants ssm:GetParameter on every parameter.
        raise error("autogen_policy", "must be false.")
    if chalice.iam_role_arn:
        raise error("iam_role_arn", "must be absent: the role is made from iam_policy_file.")
    policy = f"policy-{loaded.resources_stage}{'' if function == _API else '-' + function}.json"
    if chalice.iam_policy_file != policy or not (folder / policy).is_file():
        raise error("iam_policy_file", f"must be {policy!r}, a file in .chalice.")
    logs = re.findall(r"/aws/lambda/[^:\"]+", (folder / policy).read_text(encoding="utf-8"))
    app_name = project.get("app_name")
    if logs and not any(log.startswith(f"/aws/lambda/{app_name}-") for log in logs):
        raise ProjectError("app_name", f"is {app_name!r}, but {policy} allows {logs[0]}.")


def _place(project: dict[str, Any], stage: str, function: str, setting: str) -> str:
    """Return the dotted path of a setting that Chalice reads for a function; where to add it, if it is not set."""
    of_stage = "" if stage == _UNDECLARED else f"stages.{stage}."
    places = (f"{of_stage}lambda_functions.{function}.{setting}", f"{of_stage}{setting}")
    settings = {path for path, _ in _paths(project, "")}
    return next((path for path in places if path in settings), setting if setting in settings else places[1])


def _paths(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield a JSON value and all values in it, each with its dotted path."""
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _paths(inner, f"{path}.{number}")
