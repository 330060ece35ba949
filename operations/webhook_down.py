"""`stagectl webhook down`: deletes the stage's webhook endpoint at Stripe."""

import click

from operations import webhook_endpoint
from operations.stripe_account import ask_key_option, key_for
from stagectl import prompt
from stagectl.context import Context, example, stage_option, yes_option


@click.command("down", epilog=example("stagectl webhook down --stage featureX"))
@stage_option
@ask_key_option
@yes_option
@click.pass_obj
def command(context: Context, stage: str, ask_key: bool, yes: bool) -> None:
    """Delete the endpoint, so that purchases are not announced."""
    target = context.target(stage)
    if not yes:
        prompt.confirm(f"Delete {stage}'s webhook endpoint? Without it, its purchases are not announced")
    key = key_for(target, ask_key)
    context.ensure_pinned(stage)
    with context.output.working("Calling Stripe"):
        ids = webhook_endpoint.down(target, key)
    context.output.mark("ok", f"Deleted {', '.join(ids)}." if ids else f"{stage} has no webhook endpoint.")
