"""`stagectl stages list`, or `stagectl stages`: one line per stage."""

from dataclasses import asdict
from typing import Any

import click

from stagectl import accounts, deployed, project, secrets_store, stages, target
from stagectl.ages import age
from stagectl.aws_errors import explain
from stagectl.context import Context, example, json_option


@click.command("list", epilog=example("stagectl stages list"))
@json_option
@click.pass_obj
def command(context: Context, as_json: bool) -> None:
    """Show every stage: resources, account, key, address."""
    run(context, as_json)


def run(context: Context, as_json: bool) -> None:
    """Show the stages. A stage of another account than the credentials' is shown as the repository declares it."""
    with context.output.working("Calling AWS"):
        rows = [_row(context, stage) for stage in stages.declared()]
    if as_json:
        context.output.json(rows)
        return
    context.output.table(
        ("STAGE", "RESOURCES", "KEY PARAMETER", "MODE", "ACCOUNT", "SECRET", "URL"),
        [
            (
                *(row[name] for name in ("stage", "resources_stage", "parameter", "mode")),
                f"{row['account']} {row['region']}" if row["account"] else None,
                f"version {row['version']}, {row['age']}" if row["version"] else row["note"],
                row["url"],
            )
            for row in rows
        ],
    )


def _row(context: Context, stage: str) -> dict[str, Any]:
    """Return what is known of a stage and its first secret. ``note``: why the rest is not."""
    config = stages.config_of(stage)
    parameter = config.parameter(project.current().config.SECRETS[0].name)
    pin = accounts.pinned(config.resources_stage)
    row = {"stage": stage, "resources_stage": config.resources_stage, "parameter": parameter, "mode": config.mode}
    row |= asdict(pin) if pin else {"account": None, "region": None}
    row |= {"version": None, "age": None, "url": None, "note": None}
    try:
        declared = target.of(stage, context.profile, context.region)
        if pin is None:
            return row | {"note": "not pinned"}
        actual = declared.account_region
        if actual != pin:
            return row | {"note": f"other credentials ({actual.account} {actual.region})"}
        version = secrets_store.current(declared.client("ssm"), parameter)
        row["url"] = deployed.url(declared)
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        return row | {"note": explained.what}
    if version is None:
        return row | {"note": "not stored"}
    return row | {"version": version.number, "age": age(version.modified)}
