"""`stagectl webhook down`: Stripe's events no longer reach the stage."""

import click

from stagectl import endpoint
from stagectl.context import Context, key_option, stage_option, stripe_key


@click.command("down", epilog="Example:  stagectl webhook down --stage featureX")
@stage_option
@key_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def command(context: Context, stage: str, ask_key: bool, yes: bool) -> None:
    """Delete the endpoint that was made for a stage: its purchases are announced no more."""
    target = context.claimed(stage)
    if not yes:
        click.confirm(f"Delete {stage}'s webhook endpoint? Its purchases are announced no more", abort=True, err=True)
    ids = endpoint.down(target, stripe_key(target, ask_key))
    context.output.mark("ok", f"Deleted {', '.join(ids)}." if ids else f"{stage} has no webhook endpoint.")
