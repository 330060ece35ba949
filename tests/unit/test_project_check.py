"""`.chalice/config.json`: each stage deploys as the stage that its name says, and a mistake is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chalicelib import config as app_config
from stagectl import project_check
from stagectl.project_check import ProjectError
from tests import PROJECT

PROD, DEV = "stages.prod.environment_variables.", "stages.dev.environment_variables."
OF_NOTIFY = "stages.prod.lambda_functions.notify.environment_variables"
TIMEOUT, ANY = "stages.dev.lambda_functions.api_handler.lambda_timeout", "(a stage that is not declared, api_handler)"
AS_DEV = {"STAGE": "dev", "RESOURCES_STAGE": "dev", "NOTE_PURCHASED_TOPIC": "NotePurchased-dev"}
AS_PROD = {"STAGE": "prod", "RESOURCES_STAGE": "prod", "NOTE_PURCHASED_TOPIC": "NotePurchased-prod"}

# Where the mistake is, with stage and function; the changed settings by dotted path, where None removes one.
MISTAKES: list[tuple[str, dict[str, Any]]] = [
    (f"{PROD}STAGE (prod, api_handler)", {f"{PROD}STAGE": "dev", f"{PROD}RESOURCES_STAGE": "dev"}),
    (f"{PROD}RESOURCES_STAGE (prod, api_handler)", {f"{PROD}RESOURCES_STAGE": "dev"}),
    (f"environment_variables.STAGE {ANY}", {f"environment_variables.{name}": value for name, value in AS_PROD.items()}),
    (f"{OF_NOTIFY}.STAGE (prod, notify)", {OF_NOTIFY: AS_DEV}),
    ("environment_variables.NOTE_PURCHASED_TOPIC (prod, api_handler)", {f"{PROD}NOTE_PURCHASED_TOPIC": None}),
    ("environment_variables.CORS_ORIGIN (prod, api_handler)", {f"{PROD}CORS_ORIGIN": None}),
    (f"environment_variables.ADMIN_PHONE {ANY}", {"environment_variables.ADMIN_PHONE": 14151234567}),
    (f"{DEV}AWS_ENDPOINT_URL (dev, api_handler)", {f"{DEV}AWS_ENDPOINT_URL": "https://aws.example.com"}),
    ("stages.prod.autogen_policy (prod, api_handler)", {"stages.prod.autogen_policy": True}),
    ("stages.prod.iam_role_arn (prod, api_handler)", {"stages.prod.iam_role_arn": "arn:aws:iam::123456789012:role/x"}),
    ("stages.prod.iam_policy_file (prod, api_handler)", {"stages.prod.iam_policy_file": "policy-dev.json"}),
    ("stages.dev.iam_policy_file (dev, api_handler)", {"stages.dev.iam_policy_file": "./policy-prod.json"}),
    ("stages.prod.iam_policy_file (prod, notify)", {"stages.prod.lambda_functions": None}),
    (f"{TIMEOUT} (dev, api_handler)", {TIMEOUT: 3}),
    (f"lambda_timeout {ANY}", {"lambda_timeout": 25}),
    (f"lambda_timeout {ANY}", {"lambda_timeout": 30}),
    (f"{DEV}STRIPE_KEY", {f"{DEV}STRIPE_KEY": "sk_test_abcdefgh"}),
    ("tags.note", {"tags.note": "x_sk_live_abcdefgh"}),
    ("app_name", {"app_name": "billing"}),
    ("stages", {"stages.prod": None}),
    ("stages", {"stages": None}),
    ("stages.dev", {"stages.dev": "dev"}),
]


def changed(tmp_path: Path, changes: dict[str, Any]) -> Path:
    """Copy the project's `.chalice` folder, with other settings in config.json."""
    folder = tmp_path / ".chalice"
    shutil.copytree(PROJECT / ".chalice", folder, ignore=shutil.ignore_patterns("deploy*"))
    project = json.loads((folder / "config.json").read_text())
    for path, value in changes.items():
        *parents, name = path.split(".")
        settings = project
        for parent in parents:
            settings = settings.setdefault(parent, {})
        if value is None:
            del settings[name]
        else:
            settings[name] = value
    (folder / "config.json").write_text(json.dumps(project))
    return folder


@pytest.mark.parametrize(("place", "changes"), MISTAKES)
def test_a_mistake_is_named_with_stage_and_function_in_one_line(tmp_path, place, changes):
    with pytest.raises(ProjectError) as raised:
        project_check.check(app_config, changed(tmp_path, changes))
    assert raised.value.what.startswith(f".chalice/config.json, {place}: ")
    assert "\n" not in raised.value.what
    assert "abcdefgh" not in raised.value.what
    assert raised.value.remedy


@pytest.mark.parametrize(
    "changes",
    [{}, {"stages.branch.environment_variables.STAGE": "branch"}, {"lambda_timeout": 26}, {"lambda_timeout": 29}],
)
def test_the_projects_own_configuration_is_valid_and_a_branch_needs_only_its_name(tmp_path, changes):
    project_check.check(app_config, changed(tmp_path, changes))


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{\n  "stages": {,\n}', "line 2, column 14"),
        (b'{"a": "\xff"}', "byte 7"),
        (b"[]", "line 1"),
        (None, "the file"),
    ],
)
def test_an_unreadable_file_is_reported_with_the_position(tmp_path, content, place):
    folder = changed(tmp_path, {})
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_bytes(content)
    with pytest.raises(ProjectError) as raised:
        project_check.check(app_config, folder)
    assert raised.value.what.startswith(f".chalice/config.json, {place}: ")
    assert raised.value.remedy
