"""`stagectl doctor`: is everything as it should be, and if not, what to do."""

from dataclasses import asdict

import click

from chalicelib.config import ConfigError
from stagectl import target
from stagectl.context import Context, json_option, stage_option
from stagectl.doctor import runner
from stagectl.doctor.runner import Checks, Finding
from stagectl.errors import explain
from stagectl.target import Target

# The line on what has to make sense before anybody can be asked: config.json, the stage's name, profile and region.
CONFIGURATION = "configuration"


@click.command("doctor", epilog="Example:  stagectl doctor --stage prod")
@stage_option
@json_option
@click.pass_obj
def command(context: Context, stage: str, as_json: bool) -> int:
    """Check a stage from the credentials to the webhook, and say what to do about what is wrong. Changes nothing.

    Exits with 1 if a check failed; warnings don't count. What each line means: docs/doctor.md.
    """
    try:
        found = target.of(stage, context.profile, context.region)
    except Exception as error:
        findings = _not_begun(error, stage)
        if not findings:
            raise
        if not as_json:
            _show(context, findings[0])
    else:
        findings = run(context, found, {**runner.PREFLIGHT, **runner.AFTERWARDS}, quiet=as_json)
    well = not any(finding.level == "fail" for finding in findings)
    if as_json:
        context.output.json({"stage": stage, "ok": well, "checks": [asdict(finding) for finding in findings]})
    return 0 if well else 1


def run(context: Context, target: Target, checks: Checks, *, quiet: bool = False) -> list[Finding]:
    """Make the checks and show each finding as it is made.

    :return: the findings.
    """
    findings: list[Finding] = []
    remaining = runner.examine(target, checks)
    while True:
        with context.output.working("Checking", piped=False):
            finding = next(remaining, None)
        if finding is None:
            return findings
        findings.append(finding)
        if not quiet:
            _show(context, finding)


def _show(context: Context, finding: Finding) -> None:
    context.output.mark(finding.level, f"{finding.check:<20} {finding.text}", finding.remedy, finding.command)


def _not_begun(error: Exception, stage: str) -> list[Finding]:
    """Return the finding on what there is to examine, where that makes no sense; none on a programmer's error."""
    known = explain(error)
    if known is None:
        return []
    remedy = _remedy(known.what, stage) if isinstance(error, ConfigError) else known.remedy
    return [Finding(CONFIGURATION, "fail", known.what, remedy)]


def _remedy(said: str, stage: str) -> str:
    if "that is a secret" in said:
        put = f"stagectl secrets put --stage {stage}"
        return f"Take it out, make a new one at Stripe since git may remember this one, then: {put}"
    if said.startswith(".chalice/config.json"):
        return "See what was changed, and mend it: git diff .chalice/config.json"
    return "Unset it in this shell, or mend it."
