"""`stagectl secrets rollback`: an earlier version of a secret again."""

import click

from stagectl import rollout, store, stripe_account
from stagectl.context import Context, stage_option
from stagectl.errors import Failure
from stagectl.store import Kind


@click.command("rollback", epilog="Example:  stagectl secrets rollback --stage prod")
@stage_option
@click.argument("kind", type=click.Choice(["stripe-key", "webhook-secret"]), default="stripe-key")
@click.option("--to", "number", type=int, metavar="VERSION", help="The version; the last different one if left out.")
@click.option("--no-verify", is_flag=True, help="Don't ask Stripe whether it accepts the key.")
@click.pass_obj
def command(context: Context, stage: str, kind: Kind, number: int | None, no_verify: bool) -> None:
    """Store an earlier version of a secret again, as a new version, and have the functions use it."""
    target = context.claimed(stage)
    output, config, ssm = context.output, target.config, target.client("ssm")
    name = store.parameter_of(config, kind)
    versions = store.history(ssm, name)
    earlier = [version for version in versions if version.number == number] if number else [store.replaced(versions)]
    if not earlier or earlier[0] is None or earlier[0].secret is None:
        raise Failure(
            f"{name} has no version {number}." if number else f"{name} has no earlier value.",
            f"stagectl secrets history --stage {stage} {kind}",
        )
    wanted = earlier[0]
    assert wanted.secret is not None
    store.check(config, kind, wanted.secret)
    if kind == "stripe-key" and not no_verify:
        with output.working("Asking Stripe whether it accepts the key"):
            stripe_account.check(config, wanted.secret)
    stored = store.store(ssm, name, wanted.secret, None, f"Rolled back to version {wanted.number}")
    output.mark("ok", stored.said)
    if kind == "stripe-key":
        rollout.everywhere(context, target, stored.now.number)
