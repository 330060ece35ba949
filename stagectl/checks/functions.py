"""The deployed functions: are they what the repository says?"""

import sys

from chalice.config import Config

from chalicelib.config import SECRET
from stagectl import stages
from stagectl.checks.examined import Examined, Finding
from stagectl.deployed import Function


def deployed(examined: Examined) -> Finding:
    """Check that both functions and the API are there, once."""
    deploy = f"stagectl deploy --stage {examined.target.stage}"
    names = {examined.target.function_name, examined.target.notify_name}
    missing = sorted(names - {function.name for function in examined.functions})
    if missing:
        return Finding("deployed", "fail", f"Not deployed: {', '.join(missing)}.", deploy)
    if not examined.apis:
        return Finding("deployed", "fail", "No REST API calls the function.", deploy)
    if len(examined.apis) > 1:
        return Finding(
            "deployed",
            "fail",
            f"Several REST APIs call the function: {', '.join(api.url for api in examined.apis)}.",
            "Find the one your clients use, and delete the others: aws apigateway delete-rest-api --rest-api-id ...",
        )
    return Finding("deployed", "ok", f"Deployed at {examined.apis[0].url}.")


def environment(examined: Examined) -> Finding | None:
    """Check that the functions' environment is config.json's."""
    wrong = [
        f"{function.name}: {', '.join(names)}"
        for function, name in _both(examined)
        if (names := _different(function.environment, dict(_chalice(examined, name).environment_variables)))
    ]
    if not examined.functions:
        return None
    if wrong:
        return Finding(
            "environment",
            "fail",
            f"Environment variables differ from config.json's: {'; '.join(wrong)}.",
            f"stagectl deploy --stage {examined.target.stage}",
        )
    return Finding("environment", "ok", "The functions' environment is config.json's.")


def secrets(examined: Examined) -> Finding | None:
    """Check that no environment variable holds what looks like a secret."""
    found = [
        f"{function.name}: {name}"
        for function in examined.functions
        for name, value in sorted(function.environment.items())
        if SECRET.search(value)
    ]
    if not examined.functions:
        return None
    if found:
        return Finding(
            "environment-secrets",
            "fail",
            f"An environment variable holds a secret: {'; '.join(found)}.",
            "Whoever may see the function has seen it: make a new one at Stripe, `stagectl secrets rotate`, remove the "
            "variable, deploy.",
        )
    return Finding("environment-secrets", "ok", "No environment variable of the functions holds a secret.")


def limits(examined: Examined) -> Finding | None:
    """Check timeout, memory and Python of the functions."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    wrong = []
    for function, name in _both(examined):
        chalice = _chalice(examined, name)
        for what, is_now, wanted in (
            ("timeout", function.timeout, chalice.lambda_timeout),
            ("memory", function.memory, chalice.lambda_memory_size),
        ):
            if is_now != wanted:
                wrong.append(f"{function.name}'s {what} is {is_now}, config.json says {wanted}")
    if not examined.functions:
        return None
    if wrong:
        return Finding("limits", "fail", "; ".join(wrong) + ".", f"stagectl deploy --stage {examined.target.stage}")
    runtimes = {function.runtime for function in examined.functions}
    if runtimes != {python}:
        return Finding(
            "limits",
            "warn",
            f"The functions run {', '.join(sorted(runtimes))}, this checkout {python}: a deploy would change that.",
            "Make .venv with the Python that you want in Lambda: make clean setup PYTHON=...",
        )
    one = examined.functions[0]
    return Finding("limits", "ok", f"Timeout {one.timeout} s, memory {one.memory} MB, {one.runtime}.")


def tracing(examined: Examined) -> Finding | None:
    """Check that X-Ray traces the functions as config.json wants it."""
    wrong = [
        f"{function.name} is {function.tracing}"
        for function, name in _both(examined)
        if (function.tracing == "Active") != bool(_chalice(examined, name).xray_enabled)
    ]
    if not examined.functions:
        return None
    if wrong:
        deploy = f"stagectl deploy --stage {examined.target.stage}"
        return Finding("tracing", "fail", f"Tracing differs from config.json's: {', '.join(wrong)}.", deploy)
    return Finding("tracing", "ok", f"X-Ray tracing is {examined.functions[0].tracing}.")


def _both(examined: Examined) -> list[tuple[Function, str]]:
    named = ((examined.api_function, "api_handler"), (examined.notify_function, "notify"))
    return [(function, name) for function, name in named if function]


def _chalice(examined: Examined, function: str) -> Config:
    return stages.chalice_config(examined.target.stage, function)


def _different(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Return the names of variables that differ, which a value may be secret of."""
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
