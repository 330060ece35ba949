"""`stagectl stages`: lists, declares and pins stages."""

from dataclasses import asdict
from typing import Any

import click

from stagectl import accounts, deployed, project, project_check, prompt, secrets_store, stages
from stagectl.aws_errors import explain
from stagectl.context import Context, example, json_option, stage_option


@click.group("stages", invoke_without_command=True)
@json_option
@click.pass_context
def group(context: click.Context, as_json: bool) -> None:
    """List, declare or pin stages."""
    if context.invoked_subcommand is None:
        context.invoke(list_stages, as_json=as_json)


@group.command("list", epilog=example("stagectl stages list"))
@json_option
@click.pass_obj
def list_stages(context: Context, as_json: bool) -> None:
    """Show every stage: resources, account, key, address."""
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
    """Return what is known of a stage and its first secret. ``note``: why the rest is not.

    A stage of another account than the credentials' is shown as the repository declares it.
    """
    config = stages.config_of(stage)
    parameter = config.parameter(project.current().config.SECRETS[0].name)
    pin = accounts.pinned(config.resources_stage)
    row = {"stage": stage, "resources_stage": config.resources_stage, "parameter": parameter, "mode": config.mode}
    row |= asdict(pin) if pin else {"account": None, "region": None}
    row |= {"version": None, "age": None, "url": None, "note": None}
    try:
        declared = context.target(stage)
        if pin is None:
            return row | {"note": "not pinned"}
        actual = declared.account_region
        if actual != pin:
            return row | {"note": f"other credentials ({actual.account} {actual.region})"}
        version = secrets_store.current(declared.client("ssm"), parameter)
        row["url"] = next((api.url for api in deployed.apis(declared)), None)
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        return row | {"note": explained.what}
    if version is None:
        return row | {"note": "not stored"}
    return row | {"version": version.number, "age": version.age}


def _reject_option(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    if name is not None:
        raise click.UsageError(f"The name is an argument here, not an option:\n    {context.command_path} {name}")


@group.command("add", epilog=example("stagectl stages add featureX"))
@click.argument("name")
@click.option("--stage", hidden=True, is_eager=True, expose_value=False, callback=_reject_option)
@click.pass_obj
def add_stage(context: Context, name: str) -> None:
    """Declare a stage for a branch in .chalice/config.json.

    It has the default stage's settings, and uses its secrets and resources.
    """
    if not stages.add(name):
        context.output.mark("ok", f"{name} is declared already; nothing was changed.")
        return
    default = project_check.default_stage(project.current().config)
    text = f"{name} is declared; it uses the secrets and resources of {default}."
    context.output.mark("ok", text, "To deploy it:", f"stagectl deploy --stage {name}")


@group.command("pin", epilog=example("stagectl --profile prod stages pin --stage prod --account 111122223333"))
@stage_option
@click.option("--account", metavar="ID", help="Twelve digits. A live stage requires it; by default the credentials'.")
@click.pass_obj
def pin_stage(context: Context, stage: str, account: str | None) -> None:
    """Pin a stage to an AWS account and the region in use.

    With credentials of another account, every command then stops. The first command that changes something of a test
    stage pins it to the account of the credentials. A live stage has to be pinned before.
    """
    target = context.target(stage)
    resources = target.config.resources_stage
    if account is None and target.config.livemode:
        account = prompt.account_id(resources)
    if account is None:
        target.check_mode()
        pin = target.account_region
    else:
        pin = accounts.AccountRegion(accounts.parse_id(account), target.region)
    accounts.pin(resources, pin)
    context.output.mark("ok", f"{resources} is pinned to account {pin.account}, {pin.region}.")
