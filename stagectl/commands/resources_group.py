"""`stagectl resources`: makes or deletes a stage's topic, alarms and dashboard."""

import re

import click

from stagectl import prompt
from stagectl.context import Context, stage_command, yes_option
from stagectl.operator_error import OperatorError
from stagectl.stack import Stack
from stagectl.target import Target


@click.group("resources")
def group() -> None:
    """Make or delete a stage's topic, alarms and dashboard."""


def _valid_address(_context: click.Context, _parameter: click.Parameter, address: str | None) -> str | None:
    if address is not None and not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", address):
        raise click.BadParameter(f"{address!r} is not an e-mail address, such as ops@example.com.")
    return address


@stage_command(group, "up", "stagectl resources up --stage prod --alarm-email ops@example.com")
@click.option(
    "--alarm-email",
    metavar="ADDRESS",
    callback=_valid_address,
    help="Receives the alarms, instead of the present address.",
)
def up(context: Context, target: Target, alarm_email: str | None) -> None:
    """Make or update the topic, the alarms and the dashboard.

    They are a CloudFormation stack. A stage for a branch uses the default stage's.
    """
    context.ensure_pinned(target)
    make(context, target, alarm_email)


def make(context: Context, target: Target, alarm_email: str | None = None) -> None:
    """Make or update the resources that a stage uses."""
    stack = Stack(target.client("cloudformation"), target.config.resources_stage, context.output.note)
    with context.output.working(f"Updating the stack {stack.name}"):
        changed = stack.up(alarm_email)
    context.output.mark("ok", f"The stack {stack.name} is up to date{'' if changed else '; nothing was changed'}.")
    if alarm_email and changed:
        context.output.line(f"  AWS sends a mail to {alarm_email}, whose link confirms the address.")


@stage_command(group, "down", "stagectl resources down --stage dev")
@yes_option
def down(context: Context, target: Target, yes: bool) -> None:
    """Delete the topic, the alarms and the dashboard.

    Secrets are never deleted.
    """
    resources = target.config.resources_stage
    if target.stage != resources:
        raise OperatorError(
            f"{target.stage} uses the resources of {resources}, as other stages may.",
            f"To delete those of {resources}:",
            f"stagectl resources down --stage {resources}",
        )
    stack = Stack(target.client("cloudformation"), resources, context.output.note)
    if not yes:
        prompt.confirm(
            f"Delete the stack {stack.name} in account {target.account_region.account}? "
            "Without it, purchases are not announced"
        )
    context.ensure_pinned(target)
    with context.output.working(f"Deleting the stack {stack.name}"):
        existed = stack.down()
    context.output.mark("ok", f"The stack {stack.name} is deleted." if existed else f"There is no stack {stack.name}.")
    context.output.line("  The stage's secrets were not changed.")
