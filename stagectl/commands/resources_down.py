"""`stagectl resources down`: without topic, alarms and dashboard."""

import click

from stagectl import prompt
from stagectl.context import Context, stage_option
from stagectl.errors import OperatorError
from stagectl.stack import Stack


@click.command("down", epilog="Example:  stagectl resources down --stage dev")
@stage_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def command(context: Context, stage: str, yes: bool) -> None:
    """Delete the NotePurchased topic, the alarms and the dashboard of a stage. Secrets are never touched."""
    target = context.target(stage)
    if stage != target.config.resources_stage:
        raise OperatorError(
            f"{stage} uses the resources of {target.config.resources_stage}, as other stages may.",
            f"To delete those: stagectl resources down --stage {target.config.resources_stage}",
        )
    stack = Stack(target.client("cloudformation"), stage, context.output.note)
    question = f"Delete the stack {stack.name} in account {target.home.account}? Purchases are announced to nobody then"
    if not yes:
        prompt.confirm(question)
    context.claimed(stage)
    with context.output.working(f"Deleting the stack {stack.name}"):
        existed = stack.down()
    context.output.mark("ok", f"The stack {stack.name} is deleted." if existed else f"There is no stack {stack.name}.")
    context.output.line("  The stage's secrets are where they were.")
