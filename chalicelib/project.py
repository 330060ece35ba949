"""Checks ``.chalice/config.json`` before Chalice acts on it.

Chalice imports app.py for ``chalice deploy``, ``package`` and ``local``, which is the one moment when a stage that is
written down wrongly can be stopped. Nothing of this runs in Lambda.
"""

import json
from pathlib import Path
from typing import Any

from chalicelib.config import SECRET, ConfigError, StageConfig, load

# The API answers within 25 s and API Gateway cuts a request off at 29 s, so the function is stopped in between
# (API Gateway quotas: integration timeout).
_TIMEOUT_SECONDS = range(26, 30)


def check(folder: Path | None = None) -> None:
    """Check that every stage of the project can be deployed as what its name says.

    :param folder: the project's ``.chalice`` folder; the one beside app.py if left out.
    :raises ConfigError: a setting makes no sense; the message names the stage and the setting.
    """
    folder = folder or Path(__file__).resolve().parent.parent / ".chalice"
    try:
        project = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f".chalice/config.json can't be read: {error}.") from error
    if not isinstance(project, dict):
        raise ConfigError(".chalice/config.json must be an object.")
    _check_stage(folder, project, "", {})
    for name, stage in _object(project, "stages", ".chalice/config.json: ").items():
        _check_stage(folder, project, name, stage)


def _check_stage(folder: Path, project: dict[str, Any], name: str, stage: Any) -> None:
    """Check one stage; ``name`` is empty for what an undeclared stage gets."""
    where = f".chalice/config.json, stage {name!r}: " if name else ".chalice/config.json: "
    if not isinstance(stage, dict):
        raise ConfigError(where + "it must be an object.")
    merged = {**project, **stage}
    config = _check_variables(where, project, stage)
    if name and config.stage != name:
        raise ConfigError(where + f"STAGE is {config.stage!r}; set it to {name!r}.")
    if not name and config.resources_stage == "prod":
        raise ConfigError(where + "STAGE is 'prod' outside 'stages', so that every undeclared stage would charge live.")
    if merged.get("lambda_timeout") not in _TIMEOUT_SECONDS:
        raise ConfigError(where + "lambda_timeout must be 26 to 29 (seconds).")
    functions = _object(merged, "lambda_functions", where)
    for function in [merged, *(_object(functions, function, where) for function in functions)]:
        effective = {**merged, **function}
        if effective.get("autogen_policy") is not False:
            # Chalice's generated policy grants ssm:GetParameter on every parameter.
            raise ConfigError(where + "autogen_policy must be false.")
        policy = effective.get("iam_policy_file")
        if not isinstance(policy, str) or not (folder / policy).is_file():
            raise ConfigError(where + f"iam_policy_file is {policy!r}, which is not a file in .chalice.")
        if policy.startswith("policy-prod") != (config.stage == "prod"):
            raise ConfigError(where + f"iam_policy_file is {policy!r}; prod, and prod alone, uses policy-prod*.json.")


def _check_variables(where: str, project: dict[str, Any], stage: dict[str, Any]) -> StageConfig:
    name = "environment_variables"
    variables = {**_object(project, name, where), **_object(stage, name, where)}
    for variable, value in variables.items():
        if not isinstance(value, str):
            raise ConfigError(where + f"{variable} must be a string.")
        if SECRET.search(value):
            raise ConfigError(where + f"{variable} holds a secret; secrets belong in Parameter Store.")
    try:
        return load(variables)
    except ConfigError as error:
        raise ConfigError(where + str(error)) from error


def _object(parent: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value = parent.get(name, {})
    if not isinstance(value, dict):
        raise ConfigError(where + f"{name!r} must be an object.")
    return value
