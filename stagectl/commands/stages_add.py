"""`stagectl stages add`: declares a stage for a branch."""

import click

from stagectl import project, project_check, stages
from stagectl.context import Context, example


def _reject_option(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    if name is not None:
        raise click.UsageError(f"The name is an argument here, not an option:\n    {context.command_path} {name}")


@click.command("add", epilog=example("stagectl stages add featureX"))
@click.argument("name")
@click.option("--stage", hidden=True, is_eager=True, expose_value=False, callback=_reject_option)
@click.pass_obj
def command(context: Context, name: str) -> None:
    """Declare a stage for a branch in .chalice/config.json.

    It has the default stage's settings, and uses its secrets and resources.
    """
    if not stages.add(name):
        context.output.mark("ok", f"{name} is declared already; nothing was changed.")
        return
    default = project_check.default_stage(project.current().config)
    text = f"{name} is declared; it uses the secrets and resources of {default}."
    context.output.mark("ok", text, "To deploy it:", f"stagectl deploy --stage {name}")
