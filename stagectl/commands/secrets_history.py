"""`stagectl secrets history`: who changed a secret, and when."""

import click

from stagectl import secrets_store
from stagectl.context import Context, json_option, stage_option
from stagectl.errors import OperatorError
from stagectl.secrets_store import Kind


@click.command("history", epilog="Example:  stagectl secrets history --stage prod")
@stage_option
@click.argument("kind", type=click.Choice(["stripe-key", "webhook-secret"]), default="stripe-key")
@json_option
@click.pass_obj
def command(context: Context, stage: str, kind: Kind, as_json: bool) -> None:
    """Show a secret's versions, newest first: who, when, and the last four characters."""
    target = context.target(stage)
    name = secrets_store.parameter_of(target.config, kind)
    with context.output.working("Asking Parameter Store"):
        versions = secrets_store.history(target.client("ssm"), name)
    if not versions:
        raise OperatorError(f"{name} is not stored.", f"stagectl secrets put --stage {stage} {kind}")
    if as_json:
        context.output.json([secrets_store.shown(version) for version in versions])
        return
    context.output.table(
        ("VERSION", "VALUE", "WHEN", "BY", "HOW"),
        [
            (
                version.number,
                version.last4,
                f"{version.modified:%Y-%m-%d %H:%M:%S %Z}",
                version.who,
                version.description,
            )
            for version in versions
        ],
    )
