"""`stagectl secrets rollback`: stores an earlier version of a secret again."""

import click

from stagectl import rollout, secrets_store
from stagectl.context import Context, example, no_verify_option, secret_argument, stage_option, wait_option
from stagectl.operator_error import OperatorError
from stagectl.secrets_store import Version


@click.command("rollback", epilog=example("stagectl secrets rollback --stage prod"))
@stage_option
@secret_argument
@click.option(
    "--to",
    "number",
    type=click.IntRange(min=1),
    metavar="VERSION",
    help="By default the last version with another value, or the current one if a rollback made it.",
)
@no_verify_option
@wait_option
@click.pass_obj
def command(context: Context, stage: str, kind: str, number: int | None, no_verify: bool, wait: float) -> None:
    """Store an earlier version again, and have functions use it."""
    target = context.target(stage)
    config, ssm, name = target.config, target.client("ssm"), target.config.parameter(kind)
    earlier = _earlier(secrets_store.history(ssm, name), number)
    if earlier is None or earlier.secret is None:
        raise OperatorError(
            f"{name} has no version {number}." if number else f"{name} has no earlier value.",
            "To see its versions:",
            f"stagectl secrets history --stage {stage} {kind}",
        )
    secrets_store.validate(config, kind, earlier.secret)
    if not no_verify:
        context.verify(config, kind, earlier.secret)
    context.ensure_pinned(stage)
    stored = secrets_store.store(ssm, name, earlier.secret, None, secrets_store.ROLLED_BACK + str(earlier.number))
    context.output.mark("ok", stored.message)
    if rollout.has_probe(kind):
        rollout.roll_out(context, target, kind, stored.now.number, wait)


def _earlier(versions: list[Version], number: int | None) -> Version | None:
    """Return the version to roll back to.

    A rollback that is repeated, for example after an interruption, keeps its version: the version before it is the bad
    one.
    """
    if number is not None:
        return next((version for version in versions if version.number == number), None)
    if versions and versions[0].description.startswith(secrets_store.ROLLED_BACK):
        return versions[0]
    return secrets_store.replaced(versions)
