"""The error that `chalice deploy` ends with, as `stagectl deploy` shows it."""

import pytest
from chalice.deploy.deployer import ChaliceDeploymentError

from stagectl import chalice_deploy

ARN = "arn:aws:iam::123456789012:role/notes-billing-dev-api_handler"


@pytest.mark.parametrize("length", range(1, 80))
def test_an_arn_in_the_error_can_be_copied(length: int):
    message = (
        f"{'x' * length} is not authorized to perform: iam:CreateRole on resource: {ARN} because no policy allows it"
    )
    output = (
        f"Creating IAM role\nTraceback (most recent call last):\n  ...\n{ChaliceDeploymentError(Exception(message))}"
    )
    assert chalice_deploy.reason(output.split("\n")) == message


def test_a_message_of_several_lines_and_a_suggestion_are_separated():
    output = ["ERROR - While deploying, received the following error:", "", " one", "two", "", "Try this instead."]
    assert chalice_deploy.reason(output) == "one two Try this instead."


@pytest.mark.parametrize(("output", "reason"), [(["a", "Unknown stage", ""], "Unknown stage"), ([], "no output")])
def test_other_output_is_quoted_by_its_last_line(output: list[str], reason: str):
    assert chalice_deploy.reason(output) == reason
