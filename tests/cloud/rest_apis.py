"""REST APIs in moto as Chalice makes them: from Swagger 2.0, served as they were when they were deployed."""

import copy
from typing import Any

from moto.apigateway.models import APIGatewayBackend, RestAPI
from moto.apigateway.responses import APIGatewayResponse

from tests.cloud.replacements import Replacements


def fill(replacements: Replacements) -> None:
    """Teach moto what it lacks, until the replacements are undone."""
    replacements.wrap(APIGatewayBackend, "import_rest_api", import_rest_api)
    replacements.wrap(APIGatewayBackend, "put_rest_api", put_rest_api)
    replacements.wrap(RestAPI, "create_deployment", create_deployment)
    replacements.wrap(APIGatewayResponse, "create_deployment", with_tracing)


def is_signed(swagger: dict[str, Any], operation: dict[str, Any]) -> bool:
    """Say whether IAM authorizes an operation."""
    schemes = swagger.get("securityDefinitions", {})
    asked = [name for requirement in operation.get("security", []) for name in requirement]
    return any(schemes.get(name, {}).get("x-amazon-apigateway-authtype") == "awsSigv4" for name in asked)


def import_rest_api(answer: Any) -> Any:
    """Chalice sends Swagger 2.0, and moto wants OpenAPI 3; the API serves what it was sent."""

    def imported(self: APIGatewayBackend, api_doc: dict[str, Any], fail_on_warnings: bool) -> RestAPI:
        api = answer(self, _as_openapi(api_doc), fail_on_warnings)
        return _remember(api, api_doc)

    return imported


def put_rest_api(answer: Any) -> Any:
    def put(
        self: Any, function_id: str, api_doc: dict[str, Any], fail_on_warnings: bool, mode: str = "merge"
    ) -> RestAPI:
        document = _as_openapi(api_doc) if "swagger" in api_doc else api_doc
        return _remember(answer(self, function_id, document, fail_on_warnings, mode), api_doc)

    return put


def _remember(api: RestAPI, swagger: dict[str, Any]) -> RestAPI:
    """Keep the document itself, and what moto does not read in it: who authorizes which method."""
    api.swagger = swagger  # type: ignore[attr-defined]
    for resource in api.resources.values():
        for method, about in resource.resource_methods.items():
            operation = swagger["paths"].get(resource.get_path(), {}).get(method.lower(), {})
            about.authorization_type = "AWS_IAM" if is_signed(swagger, operation) else "NONE"
    return api


def _as_openapi(swagger: dict[str, Any]) -> dict[str, Any]:
    """As far as moto reads it. It knows no integration without an address, so what answers OPTIONS is left out."""
    document = {name: value for name, value in swagger.items() if name != "swagger"}
    document |= {"openapi": "3.0.1", "info": {"description": "", **swagger["info"]}}
    document["paths"] = {
        path: {name: value for name, value in operations.items() if name != "options"}
        for path, operations in swagger["paths"].items()
    }
    return document


def create_deployment(answer: Any) -> Any:
    """What a stage serves is the API as it was when it was deployed."""

    def deployed(self: Any, name: str, description: str, stage_variables: Any = None) -> Any:
        deployment = answer(self, name, description, stage_variables)
        self.__dict__.setdefault("served", {})[name] = copy.deepcopy(getattr(self, "swagger", None))
        return deployment

    return deployed


def with_tracing(answer: Any) -> Any:
    """moto takes no note of a deployment's tracing."""

    def deployed(self: APIGatewayResponse) -> Any:
        answered = answer(self)
        api = self.backend.get_rest_api(self.path.split("/")[2])
        api.stages[self._get_param("stageName")].tracing_enabled = bool(self._get_param("tracingEnabled"))
        return answered

    return deployed
