"""`stagectl secrets list`: which secrets a stage has."""

import click

from stagectl import secrets_store
from stagectl.ages import age
from stagectl.context import Context, json_option, stage_option
from stagectl.secrets_store import Kind

_KINDS: tuple[Kind, ...] = ("stripe-key", "webhook-secret")


@click.command("list", epilog="Example:  stagectl secrets list --stage prod")
@stage_option
@json_option
@click.pass_obj
def command(context: Context, stage: str, as_json: bool) -> None:
    """Show a stage's secrets: parameter, version, when, who. Of a value, the last four characters at most."""
    target = context.target(stage)
    with context.output.working("Asking Parameter Store"):
        found = [
            (kind, name, secrets_store.current(target.client("ssm"), name))
            for kind in _KINDS
            for name in [secrets_store.parameter_of(target.config, kind)]
        ]
    if as_json:
        context.output.json(
            [
                {"secret": kind, "parameter": name, **(secrets_store.shown(version) if version else {})}
                for kind, name, version in found
            ]
        )
        return
    context.output.table(
        ("SECRET", "PARAMETER", "VERSION", "VALUE", "AGE", "BY"),
        [
            (kind, name, version.number, version.last4, age(version.modified), version.who)
            if version
            else (kind, name, None, None, "not stored", None)
            for kind, name, version in found
        ],
    )
