"""`stagectl resources up`: topic, alarms and dashboard."""

import click

from stagectl.context import Context, stage_option
from stagectl.stack import Stack
from stagectl.target import Target


@click.command("up", epilog="Example:  stagectl resources up --stage prod --alarm-email ops@example.com")
@stage_option
@click.option("--alarm-email", metavar="ADDRESS", help="Who is told of alarms; whoever is told now if left out.")
@click.pass_obj
def command(context: Context, stage: str, alarm_email: str | None) -> None:
    """Make or update the NotePurchased topic, the alarms and the dashboard of a stage, by CloudFormation.

    The stages of branches use dev's.
    """
    run(context, context.claimed(stage), alarm_email)


def run(context: Context, target: Target, alarm_email: str | None = None) -> None:
    """Make or update the resources that a stage uses."""
    stack = Stack(target.client("cloudformation"), target.config.resources_stage, context.output.note)
    with context.output.working(f"Bringing the stack {stack.name} up to date"):
        changed = stack.up(alarm_email)
    context.output.mark("ok", f"The stack {stack.name} is up to date{'' if changed else '; nothing was changed'}.")
    if alarm_email and changed:
        context.output.line(f"  {alarm_email} gets a mail from AWS, and has to confirm in it.")
