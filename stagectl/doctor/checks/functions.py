"""The deployed functions: are they what the repository says?"""

import sys

from chalice.config import Config

from chalicelib.key_formats import STRIPE_SECRET
from stagectl import stages
from stagectl.doctor.checks.configuration import READ
from stagectl.doctor.context import CheckContext, Verdict, fail, ok, warn


def deployed(examined: CheckContext) -> Verdict:
    """Check that both functions and the API are there, once."""
    deploy = examined.stagectl("deploy")
    names = {examined.target.function_name, examined.target.notify_name}
    missing = sorted(names - {function.name for function, _ in examined.functions})
    if missing:
        return fail(f"Not deployed: {', '.join(missing)}.", deploy)
    if not examined.apis:
        return fail("No REST API calls the function.", deploy)
    if len(examined.apis) > 1:
        deletes = (examined.aws(f"apigateway delete-rest-api --rest-api-id {api.id}") for api in examined.apis)
        return fail(
            f"Several REST APIs call the function: {', '.join(api.url for api in examined.apis)}.",
            f"Keep the one that your clients use, and delete the others: {', or '.join(deletes)}",
        )
    return ok(f"Deployed at {examined.apis[0].url}.")


def environment(examined: CheckContext) -> Verdict | None:
    """Check that the functions' environment is config.json's."""
    if not examined.functions:
        return None
    wrong = []
    for function, name in examined.functions:
        wanted = dict(_chalice(examined, name).environment_variables)
        if names := _different(function.environment, wanted):
            wrong.append(f"{function.name}: {', '.join(names)}")
    if wrong:
        return fail(
            f"Environment variables differ from config.json's: {'; '.join(wrong)}.", examined.stagectl("deploy")
        )
    return ok("The functions' environment is config.json's.")


def secrets(examined: CheckContext) -> Verdict | None:
    """Check that no environment variable holds what looks like a secret."""
    if not examined.functions:
        return None
    found = {
        f"{function.name}: {name}": value
        for function, _ in examined.functions
        for name, value in sorted(function.environment.items())
        if STRIPE_SECRET.search(value)
    }
    if found:
        # A new signing secret is that of a new endpoint, which the deploy makes.
        signing = all(match and match[0] == "whsec_" for match in map(STRIPE_SECRET.search, found.values()))
        renew = examined.stagectl("webhook down" if signing else "secrets rotate")
        return fail(
            f"An environment variable holds a secret: {'; '.join(found)}.",
            f"Whoever may see the function has seen it, so replace it: {renew} && {examined.stagectl('deploy')}",
        )
    return ok("No environment variable of the functions holds a secret.")


def limits(examined: CheckContext) -> Verdict | None:
    """Check timeout, memory and Python of the functions."""
    if not examined.functions:
        return None
    wrong = []
    for function, name in examined.functions:
        chalice = _chalice(examined, name)
        for what, is_now, wanted in (
            ("timeout", function.timeout, chalice.lambda_timeout),
            ("memory", function.memory, chalice.lambda_memory_size),
        ):
            if is_now != wanted:
                wrong.append(f"{function.name}'s {what} is {is_now}, config.json says {wanted}")
    if wrong:
        return fail("; ".join(wrong) + ".", examined.stagectl("deploy"))
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    runtimes = sorted({function.runtime for function, _ in examined.functions})
    if runtimes != [python]:
        return warn(
            f"The functions run {', '.join(runtimes)}, this checkout {python}: a deploy would change that.",
            f"To keep it: make clean setup PYTHON={runtimes[0]}; to change it: {examined.stagectl('deploy')}",
        )
    one, _ = examined.functions[0]
    return ok(f"Timeout {one.timeout} s, memory {one.memory} MB, {one.runtime}.")


def tracing(examined: CheckContext) -> Verdict | None:
    """Check that X-Ray traces the functions as config.json wants it."""
    if not examined.functions:
        return None
    wrong = [
        f"{function.name} is {function.tracing}"
        for function, name in examined.functions
        if (function.tracing == "Active") != bool(_chalice(examined, name).xray_enabled)
    ]
    if wrong:
        return fail(f"Tracing differs from config.json's: {', '.join(wrong)}.", examined.stagectl("deploy"))
    return ok(f"X-Ray tracing is {examined.functions[0][0].tracing}.")


def _chalice(examined: CheckContext, function: str) -> Config:
    return stages.chalice_config(examined.target.stage, function)


def _different(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Return the names of variables that differ, which a value may be secret of.

    Not of those that have a line of their own: what holds a secret, and what config.json sets and nothing reads.
    """
    return sorted(
        name
        for name in found.keys() | wanted.keys()
        if found.get(name) != wanted.get(name)
        and not STRIPE_SECRET.search(found.get(name, ""))
        and not (name in wanted and name not in READ)
    )
