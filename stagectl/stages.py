"""The stages that ``.chalice/config.json`` declares, as the deployed function of each sees its configuration."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalice.config import Config

from stagectl import project, project_check
from stagectl.operator_error import OperatorError

_LONGEST_FUNCTION_NAME = 64  # characters (Lambda API reference, CreateFunction)


def declared() -> list[str]:
    """Return the declared stages' names: those of the rows of STAGES in order, then the others by name.

    :raises OperatorError: config.json is invalid.
    """
    app = project.current()
    project_check.check(app.config, app.chalice)
    names = project_check.read(app.chalice)["stages"]
    rows = [row.name for row in app.config.STAGES if row.name in names]
    return [*rows, *sorted(set(names) - set(rows))]


def config_of(stage: str) -> Any:
    """Return a stage's configuration: the app's StageConfig.

    It is config.json's, with those variables of the shell that the app lets operators override on test stages.

    :param stage: a declared stage's name.
    :raises OperatorError: it is not declared, or config.json or a variable of the shell is invalid.
    """
    names = declared()
    if stage not in names:
        raise OperatorError(
            f"There is no stage {stage!r} in .chalice/config.json, only {', '.join(names)}.",
            "Names are case-sensitive. To declare a stage for a branch, such as featureX:",
            "stagectl stages add featureX",
        )
    variables = dict(chalice_config(stage).environment_variables)
    if not _load(variables).livemode:
        overridable = getattr(project.current().config, "OVERRIDABLE_VARIABLES", ())
        variables.update({name: os.environ[name] for name in overridable if name in os.environ})
    return _load(variables)


def chalice_config(stage: str, function: str = "api_handler") -> Config:
    """Return Chalice's configuration of a stage's function."""
    content = project_check.read(project.current().chalice)
    return Config(chalice_stage=stage, function_name=function, config_from_disk=content)


def add(name: str) -> bool:
    """Declare a feature stage, with the default stage's settings.

    :return: whether the file was changed; a stage that is already declared stays as it is.
    :raises OperatorError: the name is not a valid stage name, or config.json is invalid.
    """
    if name in declared():
        return False
    _load({"STAGE": name}, "Choose another name, such as that of a branch: featureX.")
    app = project.current()
    if name.endswith("-notify"):
        raise OperatorError(
            f"The functions of {name} would have the name of another stage's: {app.app_name}-{name}.",
            "Choose a name that does not end in -notify.",
        )
    longest = _LONGEST_FUNCTION_NAME - len(f"{app.app_name}--notify")
    if len(name) > longest:
        raise OperatorError(f"The name has {len(name)} characters.", f"Choose one of at most {longest}.")
    content = project_check.read(app.chalice)
    content["stages"][name] = {"tags": {"stage": name}, "environment_variables": {"STAGE": name}}
    write_json(app.chalice / "config.json", content)
    return True


def write_json(file: Path, content: Any) -> None:
    """Replace a JSON file in one step, so that an interruption leaves the old one or the new one."""
    file.parent.mkdir(exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    new.replace(file)


def _load(variables: Mapping[str, str], remedy: str = "Unset this variable in your shell, or fix its value.") -> Any:
    config = project.current().config
    try:
        return config.load(variables)
    except config.ConfigError as error:
        raise OperatorError(str(error), remedy) from error
