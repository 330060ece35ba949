"""`stagectl deploy`: deploys everything in order. It can be repeated."""

import click

from stagectl import chalice_deploy, deployed, packaging, project
from stagectl.commands import doctor, resources_group
from stagectl.context import Context, Names, Step, stage_command
from stagectl.doctor import runner
from stagectl.operator_error import OperatorError
from stagectl.target import Target


def _preflight(context: Context, target: Target) -> None:
    _check(context, target, runner.preflight(), f"{target.stage} can't be deployed: ", "Nothing was made. ")


def _package(context: Context, _target: Target) -> None:
    folder = project.current().folder
    with context.output.working("Building the package"):
        built = packaging.prepare(folder)
    context.output.mark("ok", f"{built.relative_to(folder)}: {built.stat().st_size / 1e6:.1f} MB.")


def _doctor(context: Context, target: Target) -> None:
    _check(context, target, runner.after_deploy(), f"{target.stage} is deployed, but: ")


def _check(context: Context, target: Target, checks: runner.Checks, what: str, result: str = "") -> None:
    failed = [verdict for verdict in doctor.show(context, runner.run(target, checks)) if verdict.level == "fail"]
    if failed:
        remedy = f"{result}{failed[0].remedy}".strip()
        raise OperatorError(what + failed[0].text, remedy, failed[0].command)


_CORE_STEPS = (
    Step("preflight", "checks before anything is made", _preflight),
    Step("resources", "topic, alarms, dashboard", resources_group.make),
    Step("package", "the app, its dependencies, bytecode", _package),
    Step("chalice", "functions, roles, API", chalice_deploy.run),
    Step("doctor", "checks of what is deployed", _doctor),
)


def _steps() -> list[Step]:
    """Return the core steps and the app's, in order."""
    added: list[Step] = list(project.hook("DEPLOY_STEPS"))
    return [
        step
        for core in _CORE_STEPS
        for step in (
            *(step for step in added if step.before == core.name),
            core,
            *(step for step in added if step.after == core.name),
        )
    ]


@stage_command(None, "deploy", "stagectl --profile prod deploy --stage prod")
@click.option(
    "--skip",
    multiple=True,
    type=Names(lambda: [step.name for step in _steps()]),
    help="Leave out a step. Can be repeated.",
)
def command(context: Context, target: Target, skip: tuple[str, ...]) -> None:
    """Deploy a stage, with checks before and after.

    Its secrets must be stored. After an interruption or a failure, repeat the command: it keeps what is deployed.
    """
    steps = _steps()
    for number, step in enumerate(steps, 1):
        context.output.line(f"{number}/{len(steps)} {step.name}: {step.about}", "bold")
        if step.name in skip:
            context.output.line("  skipped")
            continue
        if step.name != "preflight":
            context.ensure_pinned(target)
        step.run(context, target)
    context.output.mark("ok", f"{target.stage} is deployed: {deployed.url(target)}")
