"""`stagectl stages add`: a stage for a branch."""

import click

from stagectl import stages
from stagectl.context import Context


@click.command("add", epilog="Example:  stagectl stages add featureX")
@click.argument("name")
@click.pass_obj
def command(context: Context, name: str) -> None:
    """Declare a feature stage NAME in .chalice/config.json, with dev's key, topic, policies and settings."""
    if stages.add(name):
        context.output.mark(
            "ok", f"{name} is declared; it uses dev's key and topic.", f"stagectl deploy --stage {name}"
        )
    else:
        context.output.mark("ok", f"{name} is declared already; nothing was changed.")
