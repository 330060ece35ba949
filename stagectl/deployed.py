"""What AWS runs of a stage: its functions, and the REST API that calls them."""

from dataclasses import dataclass
from typing import Any

from stagectl import project
from stagectl.aws_errors import ignore_error
from stagectl.operator_error import OperatorError
from stagectl.target import Target

_API_STAGE = "api"  # API Gateway's stage, Chalice's default


@dataclass(frozen=True)
class Function:
    """A Lambda function's configuration.

    ``role``: its name. ``timeout``: seconds. ``memory``: MB. ``tracing``: Active or PassThrough.
    """

    name: str
    arn: str
    role: str
    role_arn: str
    environment: dict[str, str]
    timeout: int
    memory: int
    tracing: str
    runtime: str


@dataclass(frozen=True)
class Api:
    """A REST API that calls a stage's function."""

    id: str
    url: str


def function(target: Target, name: str) -> Function | None:
    """Fetch a function's configuration; None if there is no such function."""
    with ignore_error("ResourceNotFoundException"):
        configuration = target.client("lambda").get_function_configuration(FunctionName=name)
        return Function(
            name=name,
            arn=configuration["FunctionArn"],
            role=configuration["Role"].rpartition("/")[2],
            role_arn=configuration["Role"],
            environment=configuration.get("Environment", {}).get("Variables", {}),
            timeout=configuration["Timeout"],
            memory=configuration["MemorySize"],
            tracing=configuration.get("TracingConfig", {}).get("Mode", "PassThrough"),
            runtime=configuration.get("Runtime", ""),
        )
    return None


def apis(target: Target) -> list[Api]:
    """Fetch the REST APIs whose routes call the stage's function: one, unless two checkouts deployed the stage.

    ``.chalice/deployed`` is not used, because only the checkout that deployed has it.
    """
    gateway = target.client("apigateway")
    integration = f":function:{target.function_name}/invocations"
    return [
        Api(api["id"], f"https://{api['id']}.execute-api.{target.region}.amazonaws.com/{_API_STAGE}")
        for api in gateway.get_paginator("get_rest_apis").paginate().search("items[]")
        if api["name"] == project.current().app_name and _calls(gateway, api["id"], integration)
    ]


def url(target: Target) -> str:
    """Fetch the URL of the stage's API.

    :raises OperatorError: it is not deployed.
    """
    for api in apis(target):
        return api.url
    raise OperatorError(f"{target.stage} is not deployed.", "Deploy it:", f"stagectl deploy --stage {target.stage}")


def _calls(gateway: Any, api: str, integration: str) -> bool:
    """Return whether the URI of a method's integration contains a text."""
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"])
    return any(integration in uri for uri in pages.search("items[*].resourceMethods.*[].methodIntegration.uri"))
