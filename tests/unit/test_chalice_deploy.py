"""`chalice deploy` as a step of a deploy: the credentials that it gets, and the error that it ends with."""

from pathlib import Path

import pytest
from chalice.deploy.deployer import ChaliceDeploymentError

from stagectl import chalice_deploy
from tests.support.fake_dev import fake_dev

ARN = "arn:aws:iam::123456789012:role/notes-billing-dev-api_handler"


def test_chalice_gets_the_credentials_of_the_target_and_none_of_the_shells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shell = {"AWS_ACCESS_KEY_ID": "other", "AWS_SESSION_TOKEN": "other", "STAGE": "prod", "PATH": "/bin"}
    assert chalice_deploy.environment(fake_dev(tmp_path, monkeypatch).target(profile="live"), shell) == {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PROFILE": "live",
        "PATH": "/bin",
    }


def test_an_arn_in_the_error_can_be_copied_wherever_chalice_breaks_the_line():
    for length in range(1, 80):
        message = f"{'x' * length} is not authorized to perform: iam:CreateRole on resource: {ARN} because"
        error = ChaliceDeploymentError(Exception(message))
        output = f"Creating IAM role\nTraceback (most recent call last):\n  ...\n{error}"
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
