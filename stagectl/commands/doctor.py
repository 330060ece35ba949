"""`stagectl doctor`: is everything as it should be, and if not, what to do."""

from dataclasses import asdict

import click

from chalicelib.config import ConfigError
from stagectl import examination, target
from stagectl.checks.examined import Finding
from stagectl.context import Context, json_option, stage_option
from stagectl.examination import Check
from stagectl.target import Target


@click.command("doctor", epilog="Example:  stagectl doctor --stage prod")
@stage_option
@json_option
@click.pass_obj
def command(context: Context, stage: str, as_json: bool) -> int:
    """Check a stage from the credentials to the webhook, and say what to do about what is wrong. Changes nothing.

    Exits with 1 if a check failed; warnings don't count.
    """
    try:
        found = target.of(stage, context.profile, context.region)
        findings = run(context, found, examination.PREFLIGHT + examination.AFTERWARDS, quiet=as_json)
    except ConfigError as error:
        findings = [Finding("configuration", "fail", str(error), "Mend it in .chalice/config.json.")]
        if not as_json:
            context.output.mark("fail", findings[0].text, findings[0].remedy)
    well = not any(finding.level == "fail" for finding in findings)
    if as_json:
        context.output.json({"stage": stage, "ok": well, "checks": [asdict(finding) for finding in findings]})
    return 0 if well else 1


def run(context: Context, target: Target, checks: tuple[Check, ...], *, quiet: bool = False) -> list[Finding]:
    """Make the checks and show each finding as it is made.

    :return: the findings.
    """
    findings: list[Finding] = []
    remaining = examination.examine(target, checks)
    while True:
        with context.output.working("Checking", piped=False):
            finding = next(remaining, None)
        if finding is None:
            return findings
        findings.append(finding)
        if not quiet:
            context.output.mark(finding.level, f"{finding.check:<20} {finding.text}", finding.remedy)
