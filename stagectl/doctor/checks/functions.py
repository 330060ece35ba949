"""Whether the deployed functions are those of this checkout."""

import sys

from chalice.config import Config

from stagectl import project, stages
from stagectl.doctor.context import CheckContext, Verdict, fail, ok, warn


def variables(context: CheckContext) -> Verdict:
    """Check that the app reads every variable that config.json sets. One that it does not read is probably misspelt."""
    functions, readable = ("api_handler", "notify"), project.current().config.VARIABLES
    names = {name for function in functions for name in _chalice(context, function).environment_variables}
    if unread := sorted(names - readable):
        return warn(
            f"config.json sets {', '.join(unread)}, which this service does not read.",
            f"Correct the name in .chalice/config.json, then deploy. Names: {', '.join(sorted(readable))}.",
            context.stagectl("deploy"),
        )
    return ok("config.json sets no variable that is not read, and no secret.")


def deployed(context: CheckContext) -> Verdict:
    """Check that both functions and exactly one REST API are deployed."""
    deploy, apis = context.stagectl("deploy"), context.apis()
    names = {context.target.function_name, context.target.notify_name}
    if missing := sorted(names - {function.name for function, _ in context.functions}):
        return fail(f"Not deployed: {', '.join(missing)}.", command=deploy)
    if not apis:
        return fail("No REST API calls the function.", command=deploy)
    if len(apis) > 1:
        return fail(
            f"Several REST APIs call the function: {', '.join(api.url for api in apis)}.",
            "Keep the one that your clients use, and delete the others:",
            "\n".join(context.aws(f"apigateway delete-rest-api --rest-api-id {api.id}") for api in apis),
        )
    return ok(f"Deployed at {apis[0].url}.")


def environment(context: CheckContext) -> Verdict | None:
    """Check that the functions' environment is config.json's."""
    differences = []
    for function, name in context.functions:
        wanted = dict(_chalice(context, name).environment_variables)
        if names := _different(function.environment, wanted):
            differences.append(f"{function.name}: {', '.join(names)}")
    if differences:
        text = f"Environment variables differ from config.json's: {'; '.join(differences)}."
        return fail(text, command=context.stagectl("deploy"))
    return ok("The functions' environment is config.json's.") if context.functions else None


def secrets(context: CheckContext) -> Verdict | None:
    """Check that no environment variable looks like a secret."""
    if exposed := exposed_secrets(context):
        return fail(
            f"An environment variable holds a secret: {'; '.join(exposed)}.",
            "Everyone who may view the function can read it, so replace it, then deploy:",
            f"{context.stagectl('secrets rotate')} && {context.stagectl('deploy')}",
        )
    return ok("No environment variable of the functions holds a secret.") if context.functions else None


def exposed_secrets(context: CheckContext) -> dict[str, str]:
    """Return the functions' variables that look like secrets: ``function: variable`` and the value."""
    secret = project.secret_pattern(project.current().config.SECRETS)
    return {
        f"{function.name}: {name}": value
        for function, _ in context.functions
        for name, value in sorted(function.environment.items())
        if secret.search(value)
    }


def limits(context: CheckContext) -> Verdict | None:
    """Check the functions' timeout, memory and Python version."""
    if not context.functions:
        return None
    differences = []
    for function, name in context.functions:
        chalice = _chalice(context, name)
        if function.timeout != chalice.lambda_timeout:
            differences.append(f"{function.name}'s timeout is {function.timeout} s, not {chalice.lambda_timeout} s")
        if function.memory != chalice.lambda_memory_size:
            differences.append(f"{function.name}'s memory is {function.memory} MB, not {chalice.lambda_memory_size} MB")
    if differences:
        text = f"Limits differ from config.json's: {'; '.join(differences)}."
        return fail(text, command=context.stagectl("deploy"))
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    runtimes = sorted({function.runtime for function, _ in context.functions})
    if runtimes != [python]:
        return warn(
            f"The functions run {', '.join(runtimes)}, this checkout uses {python}. A deploy changes the functions.",
            "Set up this checkout with the functions' Python, or deploy to change theirs:",
            f"make clean setup PYTHON={runtimes[0]}\n{context.stagectl('deploy')}",
        )
    function, _ = context.functions[0]
    return ok(f"Timeout {function.timeout} s, memory {function.memory} MB, {function.runtime}.")


def tracing(context: CheckContext) -> Verdict | None:
    """Check that X-Ray traces the functions as config.json says."""
    differences = [
        f"{function.name} is {function.tracing}"
        for function, name in context.functions
        if (function.tracing == "Active") != bool(_chalice(context, name).xray_enabled)
    ]
    if differences:
        text = f"Tracing differs from config.json's: {', '.join(differences)}."
        return fail(text, command=context.stagectl("deploy"))
    return ok(f"X-Ray tracing is {context.functions[0][0].tracing}.") if context.functions else None


def _chalice(context: CheckContext, function: str) -> Config:
    return stages.chalice_config(context.target.stage, function)


def _different(current: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Return the names of the variables that differ, without values, since a value may be secret.

    Variables that other checks report are left out: those that hold a secret, and those that the app does not read.
    """
    app = project.current().config
    readable, secret = app.VARIABLES, project.secret_pattern(app.SECRETS)
    return sorted(
        name
        for name in current.keys() | wanted.keys()
        if current.get(name) != wanted.get(name)
        and not secret.search(current.get(name, ""))
        and not (name in wanted and name not in readable)
    )
