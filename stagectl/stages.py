"""The stages that ``.chalice/config.json`` declares, as the deployed function would see each."""

import json
import os
from pathlib import Path
from typing import Any

from chalice.config import Config

from chalicelib.config import ConfigError, StageConfig, load
from stagectl import project_check
from stagectl.errors import OperatorError

FOLDER = Path(__file__).resolve().parent.parent
CHALICE = FOLDER / ".chalice"
APP_NAME = "notes-billing"

# Lambda allows 64 characters, of which notes-billing- and -notify take 21 (Lambda API reference, CreateFunction).
_LONGEST_NAME = 43


def declared() -> list[str]:
    """Return the declared stages' names: prod first, then dev, then the others by name.

    :raises ConfigError: the file can't be read, or makes no sense.
    """
    project_check.check(CHALICE)
    names = project_check.read(CHALICE)["stages"]
    return sorted(names, key=lambda name: (name != "prod", name != "dev", name))


def config_of(stage: str) -> StageConfig:
    """Return a stage's configuration: what config.json says, and for stages that may, STRIPE_API_BASE of the shell.

    :param stage: a declared stage's name.
    :raises OperatorError: it is not declared.
    :raises ConfigError: the file, or the shell's STRIPE_API_BASE, makes no sense.
    """
    names = declared()
    if stage not in names:
        raise OperatorError(
            f"There is no stage {stage!r} in .chalice/config.json, only {', '.join(names)}.",
            "Names are case-sensitive; `stagectl stages add NAME` declares a stage for a branch.",
        )
    variables = dict(chalice_config(stage).environment_variables)
    if "STRIPE_API_BASE" in os.environ and not load(variables).livemode:
        variables["STRIPE_API_BASE"] = os.environ["STRIPE_API_BASE"]
    return load(variables)


def chalice_config(stage: str, function: str = "api_handler") -> Config:
    """Return what Chalice makes of config.json for a stage's function."""
    return Config(chalice_stage=stage, function_name=function, config_from_disk=project_check.read(CHALICE))


def add(name: str) -> bool:
    """Declare a feature stage, with dev's settings.

    :return: whether the file was changed; a stage that is declared already stays as it is.
    :raises OperatorError: the name can't be a stage's.
    :raises ConfigError: the file makes no sense.
    """
    if name in declared():
        return False
    try:
        load({"STAGE": name})
    except ConfigError as error:
        raise OperatorError(str(error), "Choose another name, such as a branch's: featureX.") from error
    if name.endswith("-notify"):
        raise OperatorError(
            f"The functions of {name} would have the name of another stage's: {APP_NAME}-{name}.",
            "Choose a name that does not end in -notify.",
        )
    if len(name) > _LONGEST_NAME:
        raise OperatorError(f"The name has {len(name)} characters.", f"Choose one of at most {_LONGEST_NAME}.")
    content = project_check.read(CHALICE)
    content["stages"][name] = {"tags": {"stage": name}, "environment_variables": {"STAGE": name}}
    write_json(CHALICE / "config.json", content)
    return True


def write_json(file: Path, content: Any) -> None:
    """Replace a JSON file in one step, so that an interruption leaves the old one or the new one."""
    file.parent.mkdir(exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    new.replace(file)
