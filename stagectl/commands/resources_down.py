"""`stagectl resources down`: deletes the topic, the alarms and the dashboard."""

import click

from stagectl import prompt
from stagectl.context import Context, example, stage_option, yes_option
from stagectl.operator_error import OperatorError
from stagectl.stack import Stack


@click.command("down", epilog=example("stagectl resources down --stage dev"))
@stage_option
@yes_option
@click.pass_obj
def command(context: Context, stage: str, yes: bool) -> None:
    """Delete the topic, the alarms and the dashboard.

    Secrets are never deleted.
    """
    target = context.target(stage)
    resources = target.config.resources_stage
    if stage != resources:
        raise OperatorError(
            f"{stage} uses the resources of {resources}, as other stages may.",
            f"To delete those of {resources}:",
            f"stagectl resources down --stage {resources}",
        )
    stack = Stack(target.client("cloudformation"), stage, context.output.note)
    if not yes:
        prompt.confirm(
            f"Delete the stack {stack.name} in account {target.account_region.account}? "
            "Without it, purchases are not announced"
        )
    context.ensure_pinned(stage)
    with context.output.working(f"Deleting the stack {stack.name}"):
        existed = stack.down()
    context.output.mark("ok", f"The stack {stack.name} is deleted." if existed else f"There is no stack {stack.name}.")
    context.output.line("  The stage's secrets were not changed.")
