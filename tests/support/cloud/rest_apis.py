"""REST APIs as Chalice creates them: from Swagger 2.0, serving the document of the last deployment."""

import copy
from typing import Any

from moto.apigateway.models import APIGatewayBackend, RestAPI
from moto.apigateway.responses import APIGatewayResponse

from tests.support.cloud.replacements import Replacements


def fill(replacements: Replacements) -> None:
    """Add what moto lacks until the replacements are undone."""
    replacements.wrap(APIGatewayBackend, "import_rest_api", import_rest_api)
    replacements.wrap(APIGatewayBackend, "put_rest_api", put_rest_api)
    replacements.wrap(RestAPI, "create_deployment", create_deployment)
    replacements.wrap(APIGatewayResponse, "create_deployment", with_tracing)


def is_signed(swagger: dict[str, Any], operation: dict[str, Any]) -> bool:
    """Tell whether an operation requires IAM authorization."""
    schemes = swagger.get("securityDefinitions", {})
    names = [name for requirement in operation.get("security", []) for name in requirement]
    return any(schemes.get(name, {}).get("x-amazon-apigateway-authtype") == "awsSigv4" for name in names)


def import_rest_api(import_: Any) -> Any:
    """Convert Swagger 2.0, which Chalice sends, to OpenAPI 3, which moto requires."""

    def convert_and_import(self: APIGatewayBackend, api_doc: dict[str, Any], fail_on_warnings: bool) -> RestAPI:
        api = import_(self, _as_openapi(api_doc), fail_on_warnings)
        return _remember(api, api_doc)

    return convert_and_import


def put_rest_api(put: Any) -> Any:
    def convert_and_put(
        self: Any, function_id: str, api_doc: dict[str, Any], fail_on_warnings: bool, mode: str = "merge"
    ) -> RestAPI:
        document = _as_openapi(api_doc) if "swagger" in api_doc else api_doc
        return _remember(put(self, function_id, document, fail_on_warnings, mode), api_doc)

    return convert_and_put


def _remember(api: RestAPI, swagger: dict[str, Any]) -> RestAPI:
    """Store the document, and each method's authorization, which moto does not read."""
    api.swagger = swagger  # type: ignore[attr-defined]
    for resource in api.resources.values():
        for method, about in resource.resource_methods.items():
            operation = swagger["paths"].get(resource.get_path(), {}).get(method.lower(), {})
            about.authorization_type = "AWS_IAM" if is_signed(swagger, operation) else "NONE"
    return api


def _as_openapi(swagger: dict[str, Any]) -> dict[str, Any]:
    """Convert what moto reads. Operations OPTIONS are left out, because moto requires a URI of each integration."""
    document = {name: value for name, value in swagger.items() if name != "swagger"}
    document |= {"openapi": "3.0.1", "info": {"description": "", **swagger["info"]}}
    document["paths"] = {
        path: {name: value for name, value in operations.items() if name != "options"}
        for path, operations in swagger["paths"].items()
    }
    return document


def create_deployment(create: Any) -> Any:
    """Store the document that a stage serves from now on."""

    def create_and_store(self: Any, name: str, description: str, stage_variables: Any = None) -> Any:
        deployment = create(self, name, description, stage_variables)
        self.__dict__.setdefault("served", {})[name] = copy.deepcopy(getattr(self, "swagger", None))
        return deployment

    return create_and_store


def with_tracing(create: Any) -> Any:
    """Store a deployment's tracing, which moto ignores."""

    def create_and_trace(self: APIGatewayResponse) -> Any:
        response = create(self)
        api = self.backend.get_rest_api(self.path.split("/")[2])
        api.stages[self._get_param("stageName")].tracing_enabled = bool(self._get_param("tracingEnabled"))
        return response

    return create_and_trace
