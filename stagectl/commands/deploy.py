"""`stagectl deploy`: everything, in order, safe to repeat."""

from collections.abc import Callable
from dataclasses import dataclass

import click

from operations import smoke, webhook_endpoint
from stagectl import chalice_deploy, deployed, packaging, stages
from stagectl.commands import doctor, resources_up
from stagectl.context import Context, stage_option, stripe_key
from stagectl.doctor import runner
from stagectl.errors import OperatorError
from stagectl.target import Target


@dataclass(frozen=True)
class _Step:
    name: str
    about: str
    run: Callable[[Context, Target], None]


def _preflight(context: Context, target: Target) -> None:
    findings = doctor.run(context, target, runner.PREFLIGHT)
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed:
        raise OperatorError(
            f"{target.stage} can't be deployed: {failed[0].text}", f"{failed[0].remedy} Nothing was made."
        )


def _resources(context: Context, target: Target) -> None:
    resources_up.run(context, target)


def _package(context: Context, _target: Target) -> None:
    with context.output.working("Building the package"):
        built = packaging.prepare(stages.FOLDER)
    context.output.mark("ok", f"{built.relative_to(stages.FOLDER)}: {built.stat().st_size / 1e6:.1f} MB.")


def _chalice(context: Context, target: Target) -> None:
    chalice_deploy.run(target, context.output, debug=context.debug)
    context.output.mark("ok", f"{target.stage} is deployed at {_url(target)}.")


def _webhook(context: Context, target: Target) -> None:
    with context.output.working("Asking Stripe for the webhook endpoint"):
        try:
            done = webhook_endpoint.up(target, stripe_key(target, ask=False), _url(target))
        except webhook_endpoint.NotPermittedError as error:
            go_on = f"Then stagectl deploy --stage {target.stage} --skip webhook"
            raise OperatorError(error.what, f"{error.remedy} {go_on}") from error
    context.output.mark("ok", f"Webhook endpoint {done}")


def _doctor(context: Context, target: Target) -> None:
    findings = doctor.run(context, target, runner.AFTERWARDS)
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed:
        raise OperatorError(f"{target.stage} is deployed, but: {failed[0].text}", failed[0].remedy)


def _smoke(context: Context, target: Target) -> None:
    if not smoke.run(context, target, _url(target)):
        raise OperatorError(f"{target.stage} is deployed, but does not answer as it should.", "See the lines above.")


_STEPS = (
    _Step("preflight", "checks before anything is made", _preflight),
    _Step("resources", "topic, alarms, dashboard", _resources),
    _Step("package", "the app, its dependencies, bytecode", _package),
    _Step("chalice", "functions, roles, API", _chalice),
    _Step("webhook", "Stripe's events reach the API", _webhook),
    _Step("doctor", "checks of what is there now", _doctor),
    _Step("smoke", "requests to the API", _smoke),
)


@click.command("deploy", epilog="Example:  stagectl --profile prod deploy --stage prod")
@stage_option
@click.option(
    "--skip",
    multiple=True,
    metavar="STEP",
    type=click.Choice([step.name for step in _STEPS]),
    help=f"Leave a step out, can be given several times: {', '.join(step.name for step in _STEPS)}.",
)
@click.pass_obj
def command(context: Context, stage: str, skip: tuple[str, ...]) -> None:
    """Deploy a stage: checks, topic and alarms, functions and API, webhook, checks again, requests to the API.

    Its Stripe key must be stored (secrets put). Interrupted or failed, repeat it: what is there already stays.
    """
    target = context.target(stage)
    for number, step in enumerate(_STEPS, 1):
        context.output.line(f"{number}/{len(_STEPS)} {step.name}: {step.about}", "bold")
        if step.name in skip:
            context.output.line("  skipped")
            continue
        if step.name != "preflight":
            context.claimed(stage)
        step.run(context, target)
    context.output.mark("ok", f"{stage} is up: {_url(target)}")


def _url(target: Target) -> str:
    url = deployed.url(target)
    if url is None:
        raise OperatorError(f"{target.stage} is not deployed.", "Leave the step chalice in.")
    return url
