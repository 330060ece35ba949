"""`stagectl webhook down`: Stripe's events no longer reach the stage."""

import click

from operations import webhook_endpoint
from stagectl import prompt
from stagectl.context import Context, key_option, stage_option, stripe_key


@click.command("down", epilog="Example:  stagectl webhook down --stage featureX")
@stage_option
@key_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def command(context: Context, stage: str, ask_key: bool, yes: bool) -> None:
    """Delete the endpoint that was made for a stage: its purchases are announced no more."""
    target = context.target(stage)
    if not yes:
        prompt.confirm(f"Delete {stage}'s webhook endpoint? Its purchases are announced no more")
    key = stripe_key(target, ask_key)
    context.claimed(stage)
    with context.output.working("Asking Stripe to delete the endpoint"):
        ids = webhook_endpoint.down(target, key)
    context.output.mark("ok", f"Deleted {', '.join(ids)}." if ids else f"{stage} has no webhook endpoint.")
