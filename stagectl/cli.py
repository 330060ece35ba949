"""The command `stagectl`: its groups, the options that all commands share, and how errors are shown."""

import sys
import traceback
from typing import Any

import click

from chalicelib import __version__
from chalicelib.key_formats import STRIPE_SECRET
from operations import smoke, webhook_down, webhook_up
from stagectl.commands import (
    deploy,
    doctor,
    resources_down,
    resources_up,
    secrets_history,
    secrets_list,
    secrets_put,
    secrets_rollback,
    secrets_rotate,
    stages_add,
    stages_list,
    stages_pin,
)
from stagectl.context import Context
from stagectl.errors import explain
from stagectl.output import Output, redacted

_USED_WRONGLY = 2
_INTERRUPTED = 130  # what a shell shows of a program that Ctrl-C ended


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--profile", metavar="NAME", help="Profile of the AWS configuration; the environment's if left out.")
@click.option("--region", metavar="REGION", help="AWS region, such as us-east-1.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name=None, version=__version__, prog_name="stagectl")
@click.pass_context
def cli(context: click.Context, profile: str | None, region: str | None, debug: bool) -> None:
    """Operate the stages of notes-billing: their secrets, resources, deploys and checks.

    \b
    From nothing to production:
      stagectl --profile prod secrets put --stage prod
      stagectl --profile prod deploy --stage prod

    \b
    Shell completion, for bash (zsh and fish are alike):
      eval "$(_STAGECTL_COMPLETE=bash_source stagectl)"
    """
    context.obj = Context(profile, region, debug, Output())


@cli.group("stages", invoke_without_command=True)
@stages_list.options
@click.pass_context
def stages_group(context: click.Context, /, **given: Any) -> None:
    """Show the stages, or declare, pin one."""
    if context.invoked_subcommand is None:
        stages_list.run(context.obj, **given)


@cli.group("secrets")
def secrets_group() -> None:
    """Set, read, rotate and roll back a stage's secrets in Parameter Store."""


@cli.group("resources")
def resources_group() -> None:
    """Make or delete what a stage needs beside its functions: topic, alarms, dashboard."""


@cli.group("webhook")
def webhook_group() -> None:
    """Make or delete the stage's webhook endpoint at Stripe."""


for _group, _command in (
    (stages_group, stages_add.command),
    (stages_group, stages_pin.command),
    (secrets_group, secrets_put.command),
    (secrets_group, secrets_list.command),
    (secrets_group, secrets_history.command),
    (secrets_group, secrets_rotate.command),
    (secrets_group, secrets_rollback.command),
    (resources_group, resources_up.command),
    (resources_group, resources_down.command),
    (webhook_group, webhook_up.command),
    (webhook_group, webhook_down.command),
    (cli, doctor.command),
    (cli, deploy.command),
    (cli, smoke.command),
):
    _group.add_command(_command)


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 used wrongly, 130 interrupted."""
    debug = "--debug" in sys.argv
    output = Output()
    if any(STRIPE_SECRET.search(argument) for argument in sys.argv[1:]):
        output.error(
            "A secret was given as an argument: it is in the shell's history now, and was in the process list.",
            "Revoke it at Stripe, and give the new one at the prompt or through a pipe.",
        )
        sys.exit(_USED_WRONGLY)
    try:
        code = cli.main(prog_name="stagectl", standalone_mode=False)
    except click.Abort:
        output.note("\nInterrupted. Repeat the command to go on.", "")
        sys.exit(_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last place where it can be shown
        if debug:
            sys.stderr.write(redacted(traceback.format_exc()))
        known = explain(error)
        if known:
            output.error(known.what, known.remedy, known.command)
        else:
            output.error(
                f"Something unforeseen happened: {type(error).__name__}.",
                "Repeat with `stagectl --debug ...` and report what it shows.",
            )
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
