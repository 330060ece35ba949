"""The settings of each stage, and the errors for an invalid .chalice/config.json."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib import config as app_config
from chalicelib.config import ConfigError, load
from stagectl import project_check
from stagectl.project_check import ProjectError
from tests.support.lambda_container import stage_variables
from tests.support.ports import free_ports
from tests.support.stack import PROJECT, Stack

DEV = ("dev", "/stripeSecretKey/test", False)
PROD = ("prod", "/stripeSecretKey/live", True)


@pytest.mark.parametrize(
    ("environment", "stage", "resources"),
    [
        ({"STAGE": "prod"}, "prod", PROD),
        ({"STAGE": "dev"}, "dev", DEV),
        ({"STAGE": "featureX"}, "featureX", DEV),
        ({}, "dev", DEV),
    ],
)
def test_a_stage_selects_its_resources_and_mode(environment, stage, resources):
    config = load(environment)
    assert config.stage == stage
    assert (config.resources_stage, config.parameter("stripe-key"), config.livemode) == resources


def test_default_settings():
    config = load({})
    assert (config.admin_phone, config.currency) == ("+14151234567", "usd")
    assert config.stripe_api_base == "https://api.stripe.com"


@pytest.mark.parametrize("stage", ["dev", "featureX"])
def test_stripes_url_can_be_overridden_on_test_stages(stage):
    assert load({"STAGE": stage, "STRIPE_API_BASE": "http://127.0.0.1:12111"}).stripe_api_base.endswith(":12111")


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"STAGE": "prod", "STRIPE_API_BASE": "https://api.stripe.com"}, "STRIPE_API_BASE"),
        ({"STRIPE_API_BASE": "http://stripe.example.com"}, "STRIPE_API_BASE"),
        ({"STRIPE_API_BASE": "http://localhost.example.com"}, "STRIPE_API_BASE"),
        ({"STAGE": ""}, "STAGE"),
        ({"STAGE": "Prod"}, "STAGE"),
        ({"STAGE": "feature X"}, "STAGE"),
        ({"STAGE": "featureX", "RESOURCES_STAGE": "prod"}, "RESOURCES_STAGE"),
        ({"STAGE": "prod", "RESOURCES_STAGE": "dev"}, "RESOURCES_STAGE"),
        ({"NOTE_PURCHASED_TOPIC": "arn:aws:sns:us-east-1:123456789012:NotePurchased"}, "NOTE_PURCHASED_TOPIC"),
        ({"ADMIN_PHONE": "415 123 4567"}, "ADMIN_PHONE"),
        ({"CORS_ORIGIN": "notes.example.com"}, "CORS_ORIGIN"),
        ({"CORS_ORIGIN": "https://notes.example.com/"}, "CORS_ORIGIN"),
    ],
)
def test_an_invalid_setting_is_reported_by_name(environment, names):
    with pytest.raises(ConfigError, match=rf"^{names} ") as raised:
        load(environment)
    assert "\n" not in str(raised.value)


def test_a_secret_in_the_wrong_setting_is_not_shown():
    with pytest.raises(ConfigError) as raised:
        load({"ADMIN_PHONE": "sk_live_abcdefgh"})
    assert "sk_live_" not in str(raised.value)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_config_json_gives_a_stage_its_own_name_and_resources(stage):
    config = load(stage_variables(stage))
    assert (config.stage, config.note_purchased_topic) == (stage, f"NotePurchased-{stage}")


def test_an_undeclared_stage_gets_devs_variables_and_policy():
    top = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    assert load(stage_variables("featureX")) == load(stage_variables("dev"))
    assert top["iam_policy_file"] == "policy-dev.json"


def test_the_projects_configuration_is_valid():
    project_check.check(app_config, PROJECT / ".chalice")


def _changed(tmp_path: Path, change: Any) -> Path:
    folder = tmp_path / ".chalice"
    shutil.copytree(PROJECT / ".chalice", folder, ignore=shutil.ignore_patterns("deploy*"))
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _variables(stage: dict[str, Any], function: str = "api_handler") -> dict[str, Any]:
    return stage.setdefault("lambda_functions", {}).setdefault(function, {}).setdefault("environment_variables", {})


def _stage(config: Any, name: str) -> Any:
    return config["stages"][name]


MISTAKES = {
    "stages.prod.environment_variables.STAGE .prod, api_handler.: STAGE is 'dev'": lambda c: _stage(c, "prod")[
        "environment_variables"
    ].update(STAGE="dev", RESOURCES_STAGE="dev"),
    "stages.prod.environment_variables.RESOURCES_STAGE .prod": lambda c: c["stages"]["prod"][
        "environment_variables"
    ].update(RESOURCES_STAGE="dev"),
    ", environment_variables.STAGE .a stage that is not declared, api_handler.: STAGE is 'prod'": lambda c: c[
        "environment_variables"
    ].update(STAGE="prod", RESOURCES_STAGE="prod", NOTE_PURCHASED_TOPIC="NotePurchased-prod"),
    "stages: must declare 'prod'": lambda c: c["stages"].pop("prod"),
    "stages: must be an object": lambda c: c.pop("stages"),
    "stages.prod.lambda_functions.notify.environment_variables.STAGE .prod, notify.: STAGE": lambda c: _variables(
        _stage(c, "prod"), "notify"
    ).update(STAGE="dev", RESOURCES_STAGE="dev", NOTE_PURCHASED_TOPIC="NotePurchased-dev"),
    "stages.dev.lambda_functions.api_handler.environment_variables.STAGE .dev, api_handler.: STAGE": lambda c: (
        _variables(_stage(c, "dev")).update(
            STAGE="prod", RESOURCES_STAGE="prod", NOTE_PURCHASED_TOPIC="NotePurchased-prod"
        )
    ),
    "api_handler.environment_variables.STRIPE_API_BASE .prod, api_handler.: STRIPE_API_BASE": lambda c: _variables(
        _stage(c, "prod")
    ).update(STRIPE_API_BASE="https://stripe.example.com"),
    ", environment_variables.NOTE_PURCHASED_TOPIC .prod, api_handler.: must be": lambda c: _stage(c, "prod")[
        "environment_variables"
    ].pop("NOTE_PURCHASED_TOPIC"),
    ", environment_variables.CORS_ORIGIN .prod, api_handler.: CORS_ORIGIN is '[*]'": lambda c: _stage(c, "prod")[
        "environment_variables"
    ].pop("CORS_ORIGIN"),
    "CORS_ORIGIN is 'notes'": lambda c: _stage(c, "prod")["environment_variables"].update(CORS_ORIGIN="notes"),
    ", environment_variables.ADMIN_PHONE .*: must be a string": lambda c: c["environment_variables"].update(
        ADMIN_PHONE=14151234567
    ),
    ", environment_variables.AWS_ENDPOINT_URL .*: only Lambda sets this": lambda c: c["environment_variables"].update(
        AWS_ENDPOINT_URL="https://aws.example.com"
    ),
    "stages.prod.autogen_policy .prod, api_handler.: must be false": lambda c: _stage(c, "prod").update(
        autogen_policy=True
    ),
    "stages.prod.iam_role_arn .prod, api_handler.: must be absent": lambda c: _stage(c, "prod").update(
        iam_role_arn="arn:aws:iam::123456789012:role/x"
    ),
    "stages.prod.iam_policy_file .prod, api_handler.": lambda c: _stage(c, "prod").update(
        iam_policy_file="policy-dev.json"
    ),
    "stages.dev.iam_policy_file .dev, api_handler.": lambda c: _stage(c, "dev").update(
        iam_policy_file="./policy-prod.json"
    ),
    "iam_policy_file .prod, notify.: must be 'policy-prod-notify.json'": lambda c: _stage(c, "prod").pop(
        "lambda_functions"
    ),
    "stages.dev.lambda_functions.api_handler.lambda_timeout .dev, api_handler.": lambda c: c["stages"]["dev"].update(
        lambda_functions={"api_handler": {"lambda_timeout": 3}}
    ),
    "config.json, lambda_timeout": lambda c: c.update(lambda_timeout=10),
    "stages.dev.environment_variables.STRIPE_KEY": lambda c: _stage(c, "dev").update(
        environment_variables={"STRIPE_KEY": "sk_test_abcdefgh"}
    ),
    "tags.note": lambda c: c["tags"].update(note="x_sk_live_abcdefgh"),
    "app_name: is 'billing', but policy-dev": lambda c: c.update(app_name="billing"),
    "config.json, stages: must be an object": lambda c: c.update(stages=[]),
    "stages.dev: not of the form": lambda c: c["stages"].update(dev="dev"),
}


@pytest.mark.parametrize("names", MISTAKES)
def test_an_invalid_config_json_is_reported_in_one_sentence(tmp_path, names):
    folder = _changed(tmp_path, MISTAKES[names])
    with pytest.raises(ProjectError, match=names) as raised:
        project_check.check(app_config, folder)
    assert raised.value.what.startswith(".chalice/config.json, ")
    assert "\n" not in str(raised.value)
    assert raised.value.remedy


def test_a_stage_for_a_branch_needs_only_its_name(tmp_path):
    branch = {"environment_variables": {"STAGE": "staging"}}
    project_check.check(app_config, _changed(tmp_path, lambda c: c["stages"].update(staging=branch)))


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (b'{\n  "stages": {,\n}', "line 2, column 14: invalid JSON: Expecting property name", "Fix this."),
        (b'{"a": "\xff"}', "byte 7: not UTF-8.", "Save it as UTF-8."),
        (b"[]", "line 1: must be a JSON object.", "Fix this."),
        (None, "the file: cannot be read: No such file or directory.", "Restore the file"),
    ],
)
def test_an_unreadable_config_json_is_reported_with_its_position(tmp_path, content, what, remedy):
    folder = _changed(tmp_path, lambda c: None)
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_bytes(content)
    with pytest.raises(ProjectError, match=rf"^\.chalice/config\.json, {what}") as raised:
        project_check.check(app_config, folder)
    assert remedy in raised.value.remedy


def _copy_of_the_project(tmp_path: Path, mistake: str) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("app.py", "chalicelib", "stagectl", "devstack", "requirements.txt"):
        (copy / name).symlink_to(PROJECT / name)
    (copy / "app.py").unlink()
    shutil.copy(PROJECT / "app.py", copy)
    (copy / "chalicelib").unlink()
    shutil.copytree(PROJECT / "chalicelib", copy / "chalicelib")
    _changed(copy, MISTAKES[mistake])
    return copy


@pytest.mark.parametrize("mistake", [next(iter(MISTAKES)), "tags.note"])
def test_chalice_deploy_stops_with_one_sentence(tmp_path, stack: Stack, mistake):
    copy = _copy_of_the_project(tmp_path, mistake)
    chalice = Path(sys.executable).with_name("chalice")
    before = list(stack.aws.calls)
    deploy = subprocess.run(
        [chalice, "deploy", "--stage", "prod"],
        cwd=copy,
        env=stack.aws.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert deploy.returncode != 0
    assert deploy.stderr.startswith("notes-billing: .chalice/config.json, ")
    assert len(deploy.stderr.splitlines()) == 1
    assert stack.aws.calls == before
    assert "sk_live_" not in deploy.stdout + deploy.stderr


def test_make_run_rejects_an_invalid_variable_of_the_shell(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "devstack"],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "CORS_ORIGIN": "nonsense", **free_ports()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("notes-billing: CORS_ORIGIN is 'nonsense'")
    assert len(run.stderr.splitlines()) == 1
