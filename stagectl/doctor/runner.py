"""All checks in order, and what to make of a check that can't be made."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import stripe
from botocore.exceptions import ClientError

from operations import stripe_key_checks
from stagectl.doctor.checks import account, announcing, configuration, functions, iam
from stagectl.doctor.context import CheckContext, Verdict
from stagectl.errors import denied_action, explain, is_denial
from stagectl.output import Level
from stagectl.target import Target

# By the name that begins its line. None is the verdict where a check does not apply, such as on the policy of a
# function that is not there, or where the line of another check has said why: one cause, one line.
Checks = Mapping[str, Callable[[CheckContext], Verdict | None]]

# Without these nothing else can be asked, or what is asked is asked of the wrong account.
GATES: Checks = {
    "credentials": account.credentials,
    "account": account.account,
    "region": account.region,
}

# What must be right before anything is deployed.
PREFLIGHT: Checks = {
    "variables": configuration.variables,
    "placeholders": configuration.placeholders,
    "key-stored": stripe_key_checks.stored,
    "key-encrypted": stripe_key_checks.encrypted,
    "key-mode": stripe_key_checks.mode,
    "key-accepted": stripe_key_checks.accepted,
    "key-permissions": stripe_key_checks.permissions,
}

AFTERWARDS: Checks = {
    "deployed": functions.deployed,
    "environment": functions.environment,
    "environment-secrets": functions.secrets,
    "limits": functions.limits,
    "tracing": functions.tracing,
    "roles": iam.roles,
    "key-readable": stripe_key_checks.readable,
    "resources": announcing.resources,
    "topic": announcing.topic,
    "subscription": announcing.subscription,
    "webhook": announcing.webhook,
    "webhook-secret": announcing.webhook_secret,
    "throughput": stripe_key_checks.throughput,
}


@dataclass(frozen=True)
class Finding:
    """The result of a check. ``remedy``: what to do, empty if nothing is wrong. ``command``: to paste, if any."""

    check: str
    level: Level
    text: str
    remedy: str = ""
    command: str = ""


def examine(target: Target, checks: Checks) -> Iterator[Finding]:
    """Make the checks, one after the other. What does not apply is left out.

    :param checks: those after the gates: PREFLIGHT, AFTERWARDS, or both.
    :return: the findings. After a failed gate there are no others.
    """
    examined, said = CheckContext(target), set[str]()
    for name, check in {**GATES, **checks}.items():
        try:
            verdict = check(examined)
        except Exception as error:
            verdict, cause = _not_made(error, gate=name in GATES)
            if verdict is None:
                raise
            if cause in said:
                continue
            said.add(cause)
        if verdict is None:
            continue
        yield Finding(name, verdict.level, verdict.text, verdict.remedy, verdict.command)
        if name in GATES and verdict.level == "fail":
            return


def _not_made(error: Exception, *, gate: bool) -> tuple[Verdict | None, str]:
    """Return the verdict on a check that could not be made, and the cause, which other checks may have in common.

    There is no verdict on an error that only a programmer can explain.
    """
    known = explain(error)
    if known is None:
        return None, ""
    denied = isinstance(error, ClientError) and is_denial(error)
    level: Level = "warn" if not gate and (denied or isinstance(error, stripe.PermissionError)) else "fail"
    cause = denied_action(error) if isinstance(error, ClientError) and denied else known.what
    return Verdict(level, f"It could not be checked: {known.what}", known.remedy), cause
