"""Runs the checks in order, and turns the error of a check that could not be made into a verdict."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from botocore.exceptions import ClientError

from stagectl import project
from stagectl.aws_errors import denied_action, explain, is_denial
from stagectl.doctor.checks import account, functions, iam
from stagectl.doctor.context import CheckContext, Verdict, fail, warn
from stagectl.operator_error import PermissionDeniedError
from stagectl.target import Target

# By the name that begins its line. A check returns None where it does not apply, such as to the policy of a function
# that is not deployed, or where another line names the cause already: one cause, one line.
Checks = Mapping[str, Callable[[CheckContext], Verdict | None]]

# After a failed gate no other check is made: it could not be made, or would look at the wrong account.
GATES: Checks = {
    "credentials": account.credentials,
    "account": account.account,
    "region": account.region,
}


def preflight() -> Checks:
    """Return the checks of what must be right before a deploy."""
    return {"variables": functions.variables, **_checks_of_app("preflight")}


def after_deploy() -> Checks:
    """Return the checks of what is deployed."""
    return {
        "deployed": functions.deployed,
        "environment": functions.environment,
        "environment-secrets": functions.secrets,
        "limits": functions.limits,
        "tracing": functions.tracing,
        "roles": iam.roles,
        **_checks_of_app("after"),
    }


def _checks_of_app(phase: str) -> Checks:
    """Return the app's own checks. One that has the name of a core check replaces it, in its place."""
    checks: Mapping[str, Checks] = project.hook("CHECKS")
    return checks.get(phase, {})


def run(target: Target, checks: Checks) -> Iterator[Verdict]:
    """Make the gates' checks, then the others.

    :param checks: :func:`preflight`, :func:`after_deploy` or both.
    :return: the verdicts of the checks that apply. A cause that several checks share has one verdict.
    """
    context, causes = CheckContext(target), set[str]()
    for name, check in {**GATES, **checks}.items():
        try:
            verdict = check(context)
        except Exception as error:
            explained = explain(error)
            if explained is None:
                raise
            cause = denied_action(error) if isinstance(error, ClientError) and is_denial(error) else explained.what
            if cause in causes:
                continue
            causes.add(cause)
            make = warn if isinstance(explained, PermissionDeniedError) and name not in GATES else fail
            verdict = make(f"It could not be checked: {explained.what}", explained.remedy, explained.command)
        if verdict is None:
            continue
        yield replace(verdict, check=name)
        if name in GATES and verdict.level == "fail":
            return
