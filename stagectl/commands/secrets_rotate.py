"""`stagectl secrets rotate`: a new Stripe key while purchases go on."""

import click

from operations import stripe_account
from stagectl import prompt, rollout, secrets_store
from stagectl.context import Context, stage_option, wait_option
from stagectl.errors import OperatorError


@click.command("rotate", epilog="Example:  stagectl secrets rotate --stage prod")
@stage_option
@wait_option
@click.pass_obj
def command(context: Context, stage: str, wait: float) -> None:
    """Replace a stage's Stripe key: store the new one, have the functions use it, and say when the old may be revoked.

    Make the new key in Stripe's dashboard first, and leave the old one as it is until this command says so.
    """
    target = context.target(stage)
    output, config, ssm = context.output, target.config, target.client("ssm")
    name = config.parameter("stripe-key")
    if secrets_store.current(ssm, name) is None:
        raise OperatorError(
            f"{name} is not stored, so there is nothing to rotate.", f"stagectl secrets put --stage {stage}"
        )
    value = prompt.secret(f"New Stripe key for {stage} (account {target.home.account}, {target.region})")
    secrets_store.check(config, "stripe-key", value)
    with output.working("Asking Stripe whether it accepts the key"):
        stripe_account.check(config, value)
    context.claimed(stage)
    stored = secrets_store.store(ssm, name, value, None, "Stored by stagectl secrets rotate")
    output.mark("ok", stored.said)
    try:
        rollout.everywhere(context, target, stored.now.number, wait)
    except BaseException:
        output.note("The old key may still be in use: don't revoke it yet.", "")
        raise
    old = secrets_store.replaced(secrets_store.history(ssm, name))
    if old:
        output.mark(
            "ok",
            f"The old key ({old.last4}, version {old.number}) is safe to revoke.",
            "https://dashboard.stripe.com/" + ("apikeys" if config.livemode else "test/apikeys"),
        )
    else:
        output.line("  No other key was stored before, so there is none to revoke.")
