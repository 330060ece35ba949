"""REST APIs as Chalice creates them: from Swagger 2.0, serving the document of the last deployment."""

from typing import Any

from moto.apigateway.models import APIGatewayBackend, RestAPI

from tests.support.cloud.replacements import Replacements


def fill(replacements: Replacements) -> None:
    """Add what moto lacks until the replacements are undone."""
    replacements.wrap(APIGatewayBackend, "import_rest_api", import_rest_api)
    replacements.wrap(APIGatewayBackend, "put_rest_api", put_rest_api)
    replacements.wrap(RestAPI, "create_deployment", create_deployment)


def is_signed(swagger: dict[str, Any], operation: dict[str, Any]) -> bool:
    """Tell whether an operation requires IAM authorization."""
    schemes = swagger.get("securityDefinitions", {})
    names = [name for requirement in operation.get("security", []) for name in requirement]
    return any(schemes.get(name, {}).get("x-amazon-apigateway-authtype") == "awsSigv4" for name in names)


def import_rest_api(import_: Any) -> Any:
    """Add the description that moto requires."""

    def describe_and_import(self: APIGatewayBackend, api_doc: dict[str, Any], fail_on_warnings: bool) -> RestAPI:
        return import_(self, {**api_doc, "info": {"description": "", **api_doc["info"]}}, fail_on_warnings)

    return describe_and_import


def put_rest_api(put: Any) -> Any:
    """Convert Swagger 2.0, which Chalice sends, to what moto reads of OpenAPI 3, and store the document.

    Operations OPTIONS are left out, because moto requires a URI of each integration.
    """

    def convert_and_put(self: Any, function_id: str, api_doc: dict[str, Any], *arguments: Any, **named: Any) -> RestAPI:
        document = {name: value for name, value in api_doc.items() if name != "swagger"} | {"openapi": "3.0.1"}
        document["paths"] = {
            path: {name: value for name, value in operations.items() if name != "options"}
            for path, operations in api_doc["paths"].items()
        }
        api = put(self, function_id, document, *arguments, **named)
        api.__dict__["swagger"] = api_doc
        return api

    return convert_and_put


def create_deployment(create: Any) -> Any:
    """Store the document that a stage serves from now on."""

    def create_and_store(self: Any, name: str, description: str, stage_variables: Any = None) -> Any:
        deployment = create(self, name, description, stage_variables)
        self.__dict__.setdefault("served", {})[name] = getattr(self, "swagger", None)
        return deployment

    return create_and_store
