"""Runs the doctor in this process on an operator's checkout, and follows its remedies."""

import os
import re
import shlex
from dataclasses import replace
from functools import cache
from typing import Any
from unittest import mock

import boto3
from botocore import xform_name

from stagectl import project, stages
from stagectl.doctor import runner
from stagectl.doctor.context import Verdict
from stagectl.doctor.runner import Checks
from stagectl.target import Target
from tests.support.cloud import Account
from tests.support.cloud.accounts import REGION
from tests.support.operator_session import Operator
from tests.support.stack import transcript

ALL_CHECKS: Checks = {**runner.preflight(), **runner.after_deploy()}

# What the doctor warns of in every new account.
_DEFAULT_WARNINGS = {"throughput"}


def run_doctor(
    operator: Operator,
    stage: str = "dev",
    *,
    account: Account | None = None,
    region: str = REGION,
    checks: Checks = ALL_CHECKS,
    **environment: str,
) -> list[Verdict]:
    """Run the checks of `stagectl doctor` in this process, because starting one takes longer than the checks."""
    account = account or operator.account_of(stage)
    in_checkout = replace(project.current(), folder=operator.folder)
    with (
        mock.patch.object(project, "current", return_value=in_checkout),
        mock.patch.dict(os.environ, {**account.environment(), **environment}),
    ):
        target = Target(stage, stages.config_of(stage), _session(account.key.access_key_id, region))
        verdicts = list(runner.run(target, checks))
    transcript.extend(f"{verdict.text} {advice(verdict)}" for verdict in verdicts)
    return verdicts


def problems(operator: Operator, **arguments: Any) -> dict[str, Verdict]:
    """Return the verdicts that are not ok, by check, without the warnings of every new account."""
    verdicts = run_doctor(operator, **arguments)
    for verdict in verdicts:
        assert bool(advice(verdict)) == (verdict.level != "ok")
        if not verdict.text.startswith("It could not be checked"):  # the advice is then that of stagectl/aws_errors.py
            assert not re.search(r"\b(?:stagectl|aws|git|make) -?-?[a-z]", verdict.remedy), "a command in a sentence"
    return {it.check: it for it in verdicts if it.level != "ok" and it.check not in _DEFAULT_WARNINGS}


def advice(verdict: Verdict) -> str:
    """Return what is shown beneath the line: the remedy, and the command on lines of its own."""
    return "\n".join(part for part in (verdict.remedy, verdict.command) if part)


@cache
def _session(access_key: str, region: str) -> Any:
    """Return a cached session, which makes later clients faster. Call it with the account's environment."""
    names = {"aws_access_key_id": access_key, "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"]}
    return boto3.session.Session(**names, region_name=region)


def follow(operator: Operator, command: str, *, stdin: str = "") -> None:
    """Run the steps of a remedy's command literally, without downloading packages or charging cards."""
    assert command
    for step in command.split(" && "):
        program, *arguments = shlex.split(step)
        if program == "aws":
            call_aws(operator.dev, arguments)
        else:
            assert program == "stagectl"
            quick = ["--skip", "package", "--skip", "smoke"] if "deploy" in arguments else []
            yes = ["--yes"] if "down" in arguments else []
            operator.does(*arguments, *quick, *yes, stdin=stdin)


def call_aws(account: Account, arguments: list[str]) -> Any:
    """Call AWS as its command line does: `--region us-east-1 ssm delete-parameter --name NAME`."""
    assert arguments[0] == "--region"
    client = account.client(arguments[2], arguments[1])
    operations = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    operation = operations[arguments[3]]
    members = client.meta.service_model.operation_model(operation).input_shape.members
    names = {xform_name(name, "-"): name for name in members}
    parameters = {}
    for option, value in zip(arguments[4::2], arguments[5::2], strict=True):
        name = names[option.removeprefix("--")]
        parameters[name] = [value] if members[name].type_name == "list" else value
    return getattr(client, xform_name(operation))(**parameters)
