"""`stagectl webhook up`: Stripe's events reach the stage."""

import click

from operations import webhook_endpoint
from stagectl import deployed, secrets_store
from stagectl.context import Context, key_option, stage_option, stripe_key
from stagectl.errors import OperatorError


@click.command("up", epilog="Example:  stagectl webhook up --stage prod")
@stage_option
@key_option
@click.pass_obj
def command(context: Context, stage: str, ask_key: bool) -> None:
    """Make or update the stage's webhook endpoint at Stripe for the deployed API, and store its signing secret."""
    target = context.target(stage)
    url = deployed.url(target)
    if url is None:
        raise OperatorError(
            f"{stage} is not deployed, so there is nothing to point at.", f"stagectl deploy --stage {stage}"
        )
    key = stripe_key(target, ask_key)
    context.claimed(stage)
    with context.output.working("Asking Stripe for the endpoint"):
        done = webhook_endpoint.up(target, key, url)
    context.output.mark("ok", f"Webhook endpoint {done}")
    stored = secrets_store.current(target.client("ssm"), target.config.parameter("webhook-secret"))
    assert stored is not None
    name = target.config.parameter("webhook-secret")
    context.output.line(f"  {name} is version {stored.number} ({stored.last4}).")
