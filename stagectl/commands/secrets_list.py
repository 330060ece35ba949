"""`stagectl secrets list`: shows a stage's secrets."""

import click

from stagectl import project, secrets_store
from stagectl.ages import age
from stagectl.context import Context, example, json_option, stage_option


@click.command("list", epilog=example("stagectl secrets list --stage prod"))
@stage_option
@json_option
@click.pass_obj
def command(context: Context, stage: str, as_json: bool) -> None:
    """Show a stage's secrets: parameter, version, age, author.

    Of a value, at most the last four characters are shown.
    """
    target = context.target(stage)
    parameters = {row.name: target.config.parameter(row.name) for row in project.current().config.SECRETS}
    with context.output.working("Reading Parameter Store"):
        versions = {name: secrets_store.current(target.client("ssm"), path) for name, path in parameters.items()}
    if as_json:
        context.output.json(
            [
                {"secret": name, "parameter": parameters[name], **(secrets_store.as_json(version) if version else {})}
                for name, version in versions.items()
            ]
        )
        return
    context.output.table(
        ("SECRET", "PARAMETER", "VERSION", "VALUE", "AGE", "BY"),
        [
            (name, parameters[name], version.number, version.last4, age(version.modified), version.who)
            if version
            else (name, parameters[name], None, None, "not stored", None)
            for name, version in versions.items()
        ],
    )
