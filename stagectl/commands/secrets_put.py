"""`stagectl secrets put`: a secret into Parameter Store."""

import click

from operations import stripe_account
from stagectl import prompt, secrets_store
from stagectl.context import Context, stage_option
from stagectl.secrets_store import Kind

_NAMES = {"stripe-key": "Stripe key", "webhook-secret": "Signing secret of the webhook endpoint"}


@click.command(
    "put",
    epilog="""\b
    Examples:  stagectl secrets put --stage prod
               pass stripe | stagectl secrets put --stage prod""",
)
@stage_option
@click.argument("kind", type=click.Choice(["stripe-key", "webhook-secret"]), default="stripe-key")
@click.option("--kms-key", metavar="KEY", help="Customer-managed KMS key (id, ARN or alias) to encrypt with.")
@click.option("--no-verify", is_flag=True, help="Don't ask Stripe whether it accepts the key.")
@click.pass_obj
def command(context: Context, stage: str, kind: Kind, kms_key: str | None, no_verify: bool) -> None:
    """Store a stage's secret, from a hidden prompt or from standard input.

    A Stripe key whose mode does not fit the stage, that Stripe refuses or that lacks a permission is not stored.
    """
    target = context.target(stage)
    output, config, ssm = context.output, target.config, target.client("ssm")
    value = prompt.secret(f"{_NAMES[kind]} for {stage} (account {target.home.account}, {target.region})")
    secrets_store.check(config, kind, value)
    if kind == "stripe-key" and not no_verify:
        with output.working("Asking Stripe whether it accepts the key"):
            stripe_account.check(config, value)
    context.claimed(stage)
    name = secrets_store.parameter_of(config, kind)
    with output.working("Storing it"):
        stored = secrets_store.store(ssm, name, value, kms_key, "Stored by stagectl secrets put")
    output.mark("ok", stored.said)
    if stored.changed and stored.before:
        output.line(
            "  Running containers take it when Stripe refuses the old one; `stagectl secrets rotate` replaces them."
        )
