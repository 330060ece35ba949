"""The doctor in this process, on an operator's checkout, and whoever follows its remedies."""

import os
import re
import shlex
from functools import cache
from typing import Any
from unittest import mock

import boto3
from botocore import xform_name

from stagectl import accounts, stages
from stagectl.doctor import runner
from stagectl.doctor.runner import Checks, Finding
from stagectl.target import Target
from tests.cloud import Account
from tests.cloud.accounts import REGION
from tests.support.operator_session import Operator
from tests.support.stack import transcript

EVERYTHING: Checks = {**runner.PREFLIGHT, **runner.AFTERWARDS}

# How every account begins.
_AS_EVER = {"throughput"}


def findings(
    operator: Operator,
    stage: str = "dev",
    *,
    account: Account | None = None,
    region: str = REGION,
    checks: Checks = EVERYTHING,
    **environment: str,
) -> list[Finding]:
    """What `stagectl doctor` finds; in this process, since starting one takes longer than examining a stage."""
    account = account or operator.account_of(stage)
    folder = operator.folder / ".chalice"
    with (
        mock.patch.object(stages, "CHALICE", folder),
        mock.patch.object(accounts, "_FILE", folder / "accounts.json"),
        mock.patch.dict(os.environ, {**account.environment(), **environment}),
    ):
        target = Target(stage, stages.config_of(stage), _session(account.key.access_key_id, region))
        found = list(runner.examine(target, checks))
    transcript.extend(f"{finding.text} {finding.remedy}" for finding in found)
    return found


def wrong(operator: Operator, **arguments: Any) -> dict[str, Finding]:
    """The findings that are not ok, by check; without the warning that every account begins with."""
    found = findings(operator, **arguments)
    assert all(bool(finding.remedy) == (finding.level != "ok") for finding in found)
    return {it.check: it for it in found if it.level != "ok" and it.check not in _AS_EVER}


@cache
def _session(access_key: str, region: str) -> Any:
    """A session, whose second client of a service is made at once. Called with the account's environment."""
    names = {"aws_access_key_id": access_key, "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"]}
    return boto3.session.Session(**names, region_name=region)


def commands_of(remedy: str) -> list[str]:
    """The commands that a remedy names."""
    found = re.search(r"(?:^|: )((?:stagectl|aws|git|make) .*)$", remedy)
    return found[1].split(" && ") if found else []


def follow(operator: Operator, remedy: str, *, stdin: str = "") -> None:
    """Run what a remedy says, literally. Nobody downloads packages or charges cards for it."""
    commands = commands_of(remedy)
    assert commands, remedy
    for command in commands:
        program, *arguments = shlex.split(command)
        if program == "aws":
            call_aws(operator.dev, arguments)
        else:
            assert program == "stagectl"
            quick = ["--skip", "package", "--skip", "smoke"] if "deploy" in arguments else []
            yes = ["--yes"] if "down" in arguments else []
            operator.does(*arguments, *quick, *yes, stdin=stdin)


def call_aws(account: Account, arguments: list[str]) -> Any:
    """Call AWS as its command line would: `--region us-east-1 ssm delete-parameter --name NAME`."""
    assert arguments[0] == "--region"
    client = account.client(arguments[2], arguments[1])
    operations = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    operation = operations[arguments[3]]
    members = client.meta.service_model.operation_model(operation).input_shape.members
    parameters = {xform_name(name, "-"): name for name in members}
    given = {}
    for option, value in zip(arguments[4::2], arguments[5::2], strict=True):
        name = parameters[option.removeprefix("--")]
        given[name] = [value] if members[name].type_name == "list" else value
    return getattr(client, xform_name(operation))(**given)
