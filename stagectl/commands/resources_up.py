"""`stagectl resources up`: makes the topic, the alarms and the dashboard."""

import re

import click

from stagectl.context import Context, example, stage_option
from stagectl.stack import Stack
from stagectl.target import Target


def _valid_address(_context: click.Context, _parameter: click.Parameter, address: str | None) -> str | None:
    if address is not None and not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", address):
        raise click.BadParameter(f"{address!r} is not an e-mail address, such as ops@example.com.")
    return address


@click.command("up", epilog=example("stagectl resources up --stage prod --alarm-email ops@example.com"))
@stage_option
@click.option(
    "--alarm-email",
    metavar="ADDRESS",
    callback=_valid_address,
    help="Receives the alarms, instead of the present address.",
)
@click.pass_obj
def command(context: Context, stage: str, alarm_email: str | None) -> None:
    """Make or update the topic, the alarms and the dashboard.

    They are a CloudFormation stack. A stage for a branch uses the default stage's.
    """
    run(context, context.ensure_pinned(stage), alarm_email)


def run(context: Context, target: Target, alarm_email: str | None = None) -> None:
    """Make or update the resources that a stage uses."""
    stack = Stack(target.client("cloudformation"), target.config.resources_stage, context.output.note)
    with context.output.working(f"Updating the stack {stack.name}"):
        changed = stack.up(alarm_email)
    context.output.mark("ok", f"The stack {stack.name} is up to date{'' if changed else '; nothing was changed'}.")
    if alarm_email and changed:
        context.output.line(f"  AWS sends a mail to {alarm_email}, whose link confirms the address.")
