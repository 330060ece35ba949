"""`stagectl doctor`: checks a stage, and shows a remedy for each problem."""

from collections.abc import Iterator
from dataclasses import asdict

import click

from stagectl.aws_errors import explain
from stagectl.context import Context, example, json_option, stage_option
from stagectl.doctor import runner
from stagectl.doctor.context import Verdict

# The line on what must be valid before any call: config.json, the stage's name, profile and region.
CONFIGURATION = "configuration"


@click.command("doctor", epilog=example("stagectl doctor --stage prod"))
@stage_option
@json_option
@click.pass_obj
def command(context: Context, stage: str, as_json: bool) -> int:
    """Check a stage and show remedies. Changes nothing.

    Exits with 1 if a check failed; warnings don't count. Each line is explained in docs/doctor.md.
    """
    try:
        checked = context.target(stage)
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        invalid = Verdict("fail", explained.what, explained.remedy, explained.command, check=CONFIGURATION)
        remaining = iter([invalid])
    else:
        remaining = runner.run(checked, {**runner.preflight(), **runner.after_deploy()})
    verdicts = show(context, remaining, quiet=as_json)
    is_ok = not any(verdict.level == "fail" for verdict in verdicts)
    if as_json:
        context.output.json({"stage": stage, "ok": is_ok, "checks": [asdict(verdict) for verdict in verdicts]})
    return 0 if is_ok else 1


def show(
    context: Context, remaining: Iterator[Verdict], activity: str = "Checking", *, quiet: bool = False
) -> list[Verdict]:
    """Show each verdict as soon as it is known, unless ``quiet``, and return all.

    :param activity: is shown on a terminal until the next verdict is known.
    """
    verdicts: list[Verdict] = []
    while True:
        with context.output.working(activity, piped=False):
            verdict = next(remaining, None)
        if verdict is None:
            return verdicts
        verdicts.append(verdict)
        if not quiet:
            context.output.mark(verdict.level, f"{verdict.check:<20} {verdict.text}", verdict.remedy, verdict.command)
