"""What of a stage runs on AWS: its functions, and the API in front of them."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from stagectl import stages
from stagectl.errors import code_of
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
    """Return a function's configuration, or None if there is no such function."""
    try:
        found = target.client("lambda").get_function_configuration(FunctionName=name)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    return Function(
        name=name,
        arn=found["FunctionArn"],
        role=found["Role"].rpartition("/")[2],
        role_arn=found["Role"],
        environment=found.get("Environment", {}).get("Variables", {}),
        timeout=found["Timeout"],
        memory=found["MemorySize"],
        tracing=found.get("TracingConfig", {}).get("Mode", "PassThrough"),
        runtime=found.get("Runtime", ""),
    )


def apis(target: Target) -> list[Api]:
    """Return the REST APIs whose routes call the stage's function: one, unless a deploy was done from two places.

    AWS is asked, not ``.chalice/deployed``, which only the checkout that deployed has.
    """
    gateway = target.client("apigateway")
    called = f":function:{target.function_name}/invocations"
    return [
        Api(found["id"], f"https://{found['id']}.execute-api.{target.region}.amazonaws.com/{_API_STAGE}")
        for page in gateway.get_paginator("get_rest_apis").paginate()
        for found in page["items"]
        if found["name"] == stages.APP_NAME and _calls(gateway, found["id"], called)
    ]


def url(target: Target) -> str | None:
    """Return the address of the stage's API, or None if it is not deployed."""
    found = apis(target)
    return found[0].url if found else None


def _calls(gateway: Any, api: str, called: str) -> bool:
    """Tell whether a method of an API is integrated with a function."""
    for page in gateway.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"]):
        for resource in page["items"]:
            for method in resource.get("resourceMethods", {}).values():
                if called in method.get("methodIntegration", {}).get("uri", ""):
                    return True
    return False
