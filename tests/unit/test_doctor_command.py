"""`stagectl doctor` on the command line: lines, JSON, exit codes, and an invalid configuration."""

import json
import re
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest

from chalicelib.config import VARIABLES, load
from stagectl.cli import with_commands_of_project
from stagectl.commands.doctor import CONFIGURATION, command
from stagectl.doctor import runner
from tests import PROJECT
from tests.support.fake_dev import API, STORED_KEY, FakeDev

ALL_CHECKS = {**runner.preflight(), **runner.after_deploy()}
NAMES = [*runner.GATES, *ALL_CHECKS]


@pytest.fixture
def run(dev: FakeDev, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str]]:
    """Run the command on dev, and return its exit code and its output."""

    def run_command(*options: str) -> tuple[Any, str]:
        code = command.main(["--stage", "dev", *options], obj=dev.context, standalone_mode=False)
        return code, capsys.readouterr().out

    return run_command


def test_each_check_has_a_line_in_order_with_the_remedy_beneath_and_a_warning_is_no_failure(dev: FakeDev, run):
    dev.high_throughput = "false"
    code, output = run()
    lines = re.findall(r"^(\S) (\S+) +\S.*$", output, re.MULTILINE)
    assert [name for _, name in lines] == NAMES
    assert [name for mark, name in lines if mark != "✓"] == ["throughput"]
    assert output.splitlines()[-1].startswith("    aws --region us-east-1 ssm update-service-setting")
    assert code == 0
    code, output = run("--json")
    checks = [vars(it) for it in runner.run(dev.target(), ALL_CHECKS)]
    assert (json.loads(output), code) == ({"stage": "dev", "ok": True, "checks": checks}, 0)


def test_a_failure_sets_the_exit_code(dev: FakeDev, run):
    dev.rejected = {STORED_KEY}
    code, output = run()
    assert code == 1
    assert re.search(r"^✗ key-accepted .*\n    .*\n    stagectl secrets rotate --stage dev$", output, re.MULTILINE)
    code, output = run("--json")
    assert (json.loads(output)["ok"], code) == (False, 1)


def test_a_chosen_profile_is_in_the_commands(dev: FakeDev, run):
    dev.functions[API]["Timeout"], dev.high_throughput, dev.profile = 3, "false", "night shift"
    _, output = run("--json")
    commands = {it["check"]: it["command"] for it in json.loads(output)["checks"]}
    assert commands["limits"] == "stagectl --profile 'night shift' deploy --stage dev"
    assert "aws --profile 'night shift' --region us-east-1 ssm" in commands["throughput"]


def test_an_invalid_config_json_stops_every_other_check(dev: FakeDev, run):
    file = dev.folder / ".chalice" / "config.json"
    file.write_text(file.read_text().replace("+14151234567", "sk_test_inthefile"))
    verdict = _only_line(*run("--json"))
    assert "environment_variables.ADMIN_PHONE" in verdict["text"]
    assert "sk_test_" not in verdict["text"]
    assert verdict["command"] == "stagectl secrets put --stage dev"


@pytest.mark.parametrize(
    ("options", "variables", "fact"),
    [
        ((), {"STRIPE_API_BASE": "http://stripe.example.com"}, "STRIPE_API_BASE"),
        (("--profile", "nobody"), {"AWS_CONFIG_FILE": "/dev/null"}, "nobody"),
    ],
    ids=["a variable of the shell", "a profile"],
)
def test_so_does_an_invalid_setting_of_the_shell(dev: FakeDev, capsys, monkeypatch, options, variables, fact: str):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = [*options, "--region", "us-east-1", "doctor", "--stage", "dev", "--json"]
    code = with_commands_of_project().main(arguments, prog_name="stagectl", standalone_mode=False)
    assert fact in _only_line(code, capsys.readouterr().out)["text"]


def _only_line(code: int, output: str) -> Any:
    report = json.loads(output)
    (verdict,) = report["checks"]
    assert (verdict["check"], report["ok"], code) == (CONFIGURATION, False, 1)
    assert verdict["remedy"]
    return verdict


def test_the_page_has_every_line_of_the_doctor():
    page = (PROJECT / "docs" / "doctor.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == [CONFIGURATION, *NAMES]


def test_the_variables_that_may_be_set_are_those_that_the_app_reads():
    environment = MagicMock()  # without any variable
    environment.get.side_effect = {}.get
    load(environment)
    names = {call.args[0] for call in environment.get.mock_calls + environment.__contains__.mock_calls}
    set_by_lambda_or_chalice = {"_HANDLER", "AWS_CHALICE_CLI_MODE", "AWS_XRAY_DAEMON_ADDRESS"}
    assert names - set_by_lambda_or_chalice == VARIABLES
