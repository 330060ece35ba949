"""`stagectl secrets history`: shows who changed a secret, and when."""

import click

from stagectl import secrets_store
from stagectl.context import Context, example, json_option, secret_argument, stage_option
from stagectl.operator_error import OperatorError


@click.command("history", epilog=example("stagectl secrets history --stage prod"))
@stage_option
@secret_argument
@json_option
@click.pass_obj
def command(context: Context, stage: str, kind: str, as_json: bool) -> None:
    """Show a secret's versions: author, time, last four characters."""
    target = context.target(stage)
    name = target.config.parameter(kind)
    with context.output.working("Reading Parameter Store"):
        versions = secrets_store.history(target.client("ssm"), name)
    if not versions:
        raise OperatorError(f"{name} is not stored.", "Store it:", f"stagectl secrets put --stage {stage} {kind}")
    if as_json:
        context.output.json([secrets_store.as_json(version) for version in versions])
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
