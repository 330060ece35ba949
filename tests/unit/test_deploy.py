"""`stagectl deploy`: what stops it, what Chalice gets, and the error that Chalice ends with."""

import json
from collections.abc import Callable

import pytest
from chalice.deploy.deployer import ChaliceDeploymentError

from stagectl import chalice_deploy
from stagectl.operator_error import OperatorError
from tests.support.fake_dev import KEY, URL, FakeDev
from tests.support.stagectl_run import fail, run

STEPS = ("preflight", "resources", "package", "chalice", "webhook", "doctor", "smoke")
ARN = "arn:aws:iam::123456789012:role/notes-billing-dev-api_handler"
READS = {"get", "list", "describe", "simulate"}


def options(*steps: str) -> list[str]:
    """Run only these steps of a deploy."""
    return ["--stage", "dev", *(word for step in STEPS if step not in steps for word in ("--skip", step))]


def test_a_failed_check_before_a_deploy_stops_it_before_anything_is_made(dev: FakeDev):
    dev.parameters.pop(KEY)
    assert fail(dev, "deploy", *options(*STEPS)).command == "stagectl secrets put --stage dev"
    assert {name.partition(".")[2].partition("_")[0] for name in dev.calls} <= READS


def test_a_failed_check_after_a_deploy_ends_it_and_a_warning_does_not(dev: FakeDev):
    dev.high_throughput = "false"
    assert run(dev, "deploy", *options("doctor")).splitlines()[-1].endswith(URL)
    dev.extra_policies = ["ByHand"]
    assert "ByHand" in fail(dev, "deploy", *options("doctor", "smoke")).what


def test_a_key_that_may_not_manage_endpoints_leads_to_another_key_for_this_once(dev: FakeDev):
    dev.permissions = {"payment_intents", "charges"}
    up = "stagectl webhook up --stage dev --ask-key"
    assert fail(dev, "webhook", "up", "--stage", "dev").command == up
    assert fail(dev, "webhook", "down", "--stage", "dev", "--yes").command == up.replace("up", "down")
    assert fail(dev, "deploy", *options("webhook")).command == f"{up} && stagectl deploy --stage dev --skip webhook"


def test_steps_are_left_out_on_request(dev: FakeDev):
    assert run(dev, "deploy", *options()).count("skipped") == len(STEPS)


@pytest.fixture
def chalice(dev: FakeDev, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run the step with a shell script in the place of Chalice's command line."""

    def run_script(script: str) -> None:
        program = dev.folder / "chalice"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(dev.folder / "python"))
        chalice_deploy.run(dev.context, dev.target())

    return run_script


def test_chalice_gets_the_target_with_its_credentials_and_no_setting_of_the_shell(dev: FakeDev, chalice, monkeypatch):
    shell = {"STAGE": "prod", "STRIPE_API_BASE": "https://example.com", "AWS_DEFAULT_REGION": "eu-west-1"}
    shell |= {"OTHER": "1", "AWS_ACCESS_KEY_ID": "other", "AWS_SESSION_TOKEN": "other"}
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    dev.profile = "live"
    chalice("echo $@ > arguments; env > variables")
    assert (dev.folder / "arguments").read_text().split()[:3] == ["deploy", "--stage", "dev"]
    variables = dict(line.split("=", 1) for line in (dev.folder / "variables").read_text().splitlines())
    expected = {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PROFILE": "live",
        "OTHER": "1",
    }
    assert {name: variables[name] for name in shell | expected if name in variables} == expected


def test_an_error_of_chalice_ends_the_deploy_without_a_traceback(chalice, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(OperatorError, match="no such role"):
        chalice("echo Creating a role; echo 'Traceback (most recent call last):'; echo no such role; exit 2")
    assert capsys.readouterr().err.split() == ["Creating", "a", "role"]


def test_an_arn_in_the_error_can_be_copied_wherever_chalice_breaks_the_line():
    for length in range(1, 80):
        message = f"{'x' * length} is not authorized to perform: iam:CreateRole on resource: {ARN} because"
        output = f"Traceback (most recent call last):\n  ...\n{ChaliceDeploymentError(Exception(message))}"
        assert chalice_deploy.reason(output.split("\n")) == message


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (["ERROR - received the following error:", "", " one", "two", "", "Try this."], "one two Try this."),
        (["a", "Unknown stage", ""], "Unknown stage"),
        ([], "no output"),
    ],
)
def test_other_output_is_quoted_by_its_last_lines(output: list[str], reason: str):
    assert chalice_deploy.reason(output) == reason


@pytest.mark.parametrize("recorded_account", [None, "111111111111", "222222222222"])
def test_chalices_record_has_the_api_that_exists_and_nothing_of_another_account(dev, chalice, recorded_account):
    """Without the API, a deploy from another checkout would make a second one with another address."""
    file = dev.folder / ".chalice" / "deployed" / "dev.json"
    if recorded_account:
        role = {"name": "role", "resource_type": "iam_role", "role_arn": f"arn:aws:iam:us-east-1:{recorded_account}:r"}
        event = {"name": "event", "resource_type": "sns_event"}
        file.parent.mkdir()
        file.write_text(json.dumps({"schema_version": "2.0", "resources": [role, event]}))
    chalice("true")
    resources = {it["name"]: it.get("rest_api_id") for it in json.loads(file.read_text())["resources"]}
    assert resources == {"rest_api": "api1"} | ({"role": None} if recorded_account == dev.account else {})
