"""All checks in order, and what to make of a check that can't be made."""

from collections.abc import Callable, Iterator

import stripe
from botocore.exceptions import ClientError

from stagectl.checks import account, announcing, configuration, functions, iam, key
from stagectl.checks.examined import Examined, Finding
from stagectl.errors import code_of, explain
from stagectl.output import Level
from stagectl.target import Target

Check = Callable[[Examined], Finding | None]

# Without these nothing else can be asked, or what is asked is asked of the wrong account.
GATES: tuple[Check, ...] = (account.credentials, account.account, account.region)

# What must be right before anything is deployed.
PREFLIGHT: tuple[Check, ...] = (
    configuration.variables,
    configuration.placeholders,
    key.stored,
    key.secure_string,
    key.mode,
    key.accepted,
    key.permissions,
)

AFTERWARDS: tuple[Check, ...] = (
    functions.deployed,
    functions.environment,
    functions.secrets,
    functions.limits,
    functions.tracing,
    iam.roles,
    key.readable,
    announcing.resources,
    announcing.topic,
    announcing.subscription,
    announcing.webhook,
    announcing.webhook_secret,
    key.throughput,
)


def examine(target: Target, checks: tuple[Check, ...]) -> Iterator[Finding]:
    """Make the checks, one after the other. What does not apply, such as a policy without a function, is left out.

    :param checks: those after the gates: PREFLIGHT, AFTERWARDS, or both.
    :return: the findings. After a failed gate there are no others.
    """
    examined = Examined(target)
    for check in GATES:
        finding = _made(check, examined)
        if finding:
            yield finding
            if finding.level == "fail":
                return
    for check in checks:
        finding = _made(check, examined)
        if finding:
            yield finding


def _made(check: Check, examined: Examined) -> Finding | None:
    try:
        return check(examined)
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        forbidden = isinstance(error, stripe.PermissionError) or (
            isinstance(error, ClientError) and code_of(error) in ("AccessDenied", "AccessDeniedException")
        )
        level: Level = "warn" if forbidden and check not in GATES else "fail"
        name = check.__name__.replace("_", "-")
        return Finding(name, level, f"{name} could not be checked: {known.what}", known.remedy)
