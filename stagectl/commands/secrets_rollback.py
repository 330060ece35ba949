"""`stagectl secrets rollback`: an earlier version of a secret again."""

import click

from operations import stripe_account
from stagectl import rollout, secrets_store
from stagectl.context import Context, stage_option, wait_option
from stagectl.errors import OperatorError
from stagectl.secrets_store import Kind, Version


@click.command("rollback", epilog="Example:  stagectl secrets rollback --stage prod")
@stage_option
@click.argument("kind", type=click.Choice(["stripe-key", "webhook-secret"]), default="stripe-key")
@click.option(
    "--to",
    "number",
    type=click.IntRange(min=1),
    metavar="VERSION",
    help="The version; if left out, the last one with another value, or the one that was rolled back to already.",
)
@click.option("--no-verify", is_flag=True, help="Don't ask Stripe whether it accepts the key.")
@wait_option
@click.pass_obj
def command(context: Context, stage: str, kind: Kind, number: int | None, no_verify: bool, wait: float) -> None:
    """Store an earlier version of a secret again, as a new version, and have the functions use it."""
    target = context.target(stage)
    output, config, ssm = context.output, target.config, target.client("ssm")
    name = secrets_store.parameter_of(config, kind)
    wanted = _wanted(secrets_store.history(ssm, name), number)
    if wanted is None or wanted.secret is None:
        raise OperatorError(
            f"{name} has no version {number}." if number else f"{name} has no earlier value.",
            f"See which there are: stagectl secrets history --stage {stage} {kind}",
        )
    secrets_store.check(config, kind, wanted.secret)
    if kind == "stripe-key" and not no_verify:
        with output.working("Asking Stripe whether it accepts the key"):
            stripe_account.check(config, wanted.secret)
    context.claimed(stage)
    stored = secrets_store.store(ssm, name, wanted.secret, None, secrets_store.ROLLED_BACK + str(wanted.number))
    output.mark("ok", stored.said)
    if kind == "stripe-key":
        rollout.everywhere(context, target, stored.now.number, wait)


def _wanted(versions: list[Version], number: int | None) -> Version | None:
    """Return the version to go back to.

    A rollback that is repeated, since it was interrupted say, stays where it is: to go back to what it replaced would
    bring the bad key again.
    """
    if number is not None:
        return next((version for version in versions if version.number == number), None)
    if versions and versions[0].description.startswith(secrets_store.ROLLED_BACK):
        return versions[0]
    return secrets_store.replaced(versions)
