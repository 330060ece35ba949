"""`stagectl deploy`: what stops it, and what Chalice gets."""

import json
from collections.abc import Callable

import pytest

from stagectl import chalice_deploy
from stagectl.commands import deploy
from stagectl.operator_error import OperatorError
from tests.support.fake_dev import KEY, URL, FakeContext, FakeDev

STEPS = ("preflight", "resources", "package", "chalice", "webhook", "doctor", "smoke")
READS = {"get", "list", "describe", "simulate"}


def run(dev: FakeDev, *steps: str) -> None:
    """Run only these steps of a deploy."""
    skipped = [word for step in STEPS if step not in steps for word in ("--skip", step)]
    deploy.command.main(["--stage", "dev", *skipped], obj=FakeContext(dev), standalone_mode=False)


def test_a_failed_check_before_a_deploy_stops_it_before_anything_is_made(dev: FakeDev):
    dev.parameters.pop(KEY)
    with pytest.raises(OperatorError) as raised:
        run(dev, *STEPS)
    assert raised.value.command == "stagectl secrets put --stage dev"
    assert {name.partition(".")[2].partition("_")[0] for name in dev.calls} <= READS


def test_a_failed_check_after_a_deploy_ends_it(dev: FakeDev, capsys: pytest.CaptureFixture[str]):
    dev.extra_policies = ["ByHand"]
    with pytest.raises(OperatorError) as raised:
        run(dev, "doctor")
    assert "ByHand" in raised.value.what
    assert URL not in capsys.readouterr().out.splitlines()[-1]


def test_a_warning_after_a_deploy_does_not(dev: FakeDev, capsys: pytest.CaptureFixture[str]):
    dev.high_throughput = "false"
    run(dev, "doctor")
    assert capsys.readouterr().out.splitlines()[-1].endswith(URL)


def test_steps_are_left_out_on_request(dev: FakeDev, capsys: pytest.CaptureFixture[str]):
    run(dev)
    assert capsys.readouterr().out.count("skipped") == len(STEPS)


@pytest.fixture
def chalice(dev: FakeDev, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run the step with a shell script in the place of Chalice's command line."""

    def run_script(script: str) -> None:
        program = dev.folder / "chalice"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(dev.folder / "python"))
        chalice_deploy.run(FakeContext(dev), dev.target())

    return run_script


def test_chalice_gets_the_target_and_no_setting_of_the_shell(dev: FakeDev, chalice, monkeypatch: pytest.MonkeyPatch):
    shell = {"STAGE": "prod", "STRIPE_API_BASE": "https://example.com", "OTHER": "1", "AWS_DEFAULT_REGION": "eu-west-1"}
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    chalice("echo $@ > arguments; env > variables")
    assert (dev.folder / "arguments").read_text().split()[:3] == ["deploy", "--stage", "dev"]
    variables = dict(line.split("=", 1) for line in (dev.folder / "variables").read_text().splitlines())
    assert variables.keys() & {"STAGE", "STRIPE_API_BASE"} == set()
    assert (variables["OTHER"], variables["AWS_DEFAULT_REGION"]) == ("1", "us-east-1")


def test_an_error_of_chalice_ends_the_deploy(chalice):
    with pytest.raises(OperatorError, match="no such role"):
        chalice("echo no such role; exit 2")


@pytest.mark.parametrize("recorded_account", [None, "111111111111", "222222222222"])
def test_chalices_record_has_the_api_that_exists_and_nothing_of_another_account(
    dev: FakeDev, chalice, recorded_account: str | None
):
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
