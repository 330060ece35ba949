"""`stagectl webhook up`: makes the stage's webhook endpoint at Stripe."""

import click

from operations import webhook_endpoint
from operations.stripe_account import ask_key_option, key_for
from stagectl import secrets_store
from stagectl.context import Context, deployed_url, example, stage_option


@click.command("up", epilog=example("stagectl webhook up --stage prod"))
@stage_option
@ask_key_option
@click.pass_obj
def command(context: Context, stage: str, ask_key: bool) -> None:
    """Make or update the endpoint, and store its signing secret.

    The endpoint points at the deployed API.
    """
    target = context.target(stage)
    url = deployed_url(target)
    key = key_for(target, ask_key)
    context.ensure_pinned(stage)
    with context.output.working("Calling Stripe"):
        result = webhook_endpoint.up(target, key, url)
    context.output.mark("ok", f"Webhook endpoint {result}")
    name = target.config.parameter("webhook-secret")
    stored = secrets_store.current(target.client("ssm"), name)
    assert stored is not None
    context.output.line(f"  {name} is version {stored.number} ({stored.last4}).")
