"""`stagectl webhook`: makes or deletes the stage's webhook endpoint at Stripe."""

import click

from operations import webhook_endpoint
from operations.stripe_account import ask_key_option, key_for
from stagectl import deployed, prompt, secrets_store
from stagectl.context import Context, stage_command, yes_option
from stagectl.prompt import SecretInput
from stagectl.target import Target


@click.group("webhook")
def group() -> None:
    """Make or delete the stage's webhook endpoint at Stripe."""


@stage_command(group, "up", "stagectl webhook up --stage prod", entry="ask_key")
@ask_key_option
def up(context: Context, target: Target, entry: SecretInput | None) -> None:
    """Make or update the endpoint, and store its signing secret.

    The endpoint points at the deployed API.
    """
    url = deployed.url(target)
    key = key_for(target, entry)
    context.ensure_pinned(target)
    with context.output.working("Calling Stripe"):
        result = webhook_endpoint.up(target, key, url)
    context.output.mark("ok", f"Webhook endpoint {result}")
    name = target.config.parameter("webhook-secret")
    stored = secrets_store.current(target.client("ssm"), name)
    assert stored is not None
    context.output.line(f"  {name} is version {stored.number} ({stored.last4}).")


@stage_command(group, "down", "stagectl webhook down --stage featureX", entry="ask_key")
@ask_key_option
@yes_option
def down(context: Context, target: Target, entry: SecretInput | None, yes: bool) -> None:
    """Delete the endpoint, so that purchases are not announced."""
    if not yes:
        prompt.confirm(f"Delete {target.stage}'s webhook endpoint? Without it, its purchases are not announced")
    key = key_for(target, entry)
    context.ensure_pinned(target)
    with context.output.working("Calling Stripe"):
        ids = webhook_endpoint.down(target, key)
    context.output.mark("ok", f"Deleted {', '.join(ids)}." if ids else f"{target.stage} has no webhook endpoint.")
