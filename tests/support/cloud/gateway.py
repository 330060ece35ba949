"""API Gateway: the REST APIs that Chalice deploys, of every account.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import json
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest
from chalice.local import RouteMatcher
from moto.apigateway.models import APIGatewayBackend, RestAPI, apigateway_backends
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.support import iam
from tests.support.cloud.accounts import REGION
from tests.support.cloud.functions import Functions, find_function, may_invoke
from tests.support.cloud.principals import Principal
from tests.support.cloud.signatures import MISSING, SignatureError, signer

HOSTS = f"*.execute-api.{REGION}.amazonaws.com"


@dataclass(frozen=True)
class _Api:
    """An API with its account and the document that its stage serves."""

    account: str
    id: str
    stage: str
    document: dict[str, Any]

    def arn(self, method: str, path: str) -> str:
        return f"arn:aws:execute-api:{REGION}:{self.account}:{self.id}/{self.stage}/{method}{path}"


class Gateway:
    """Listens on loopback for requests to all execute-api hosts."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        application = Request.application(self._respond)
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="gateway", daemon=True)
        self.address: tuple[str, int] = ("127.0.0.1", self._server.port)

    def start(self, patch: pytest.MonkeyPatch) -> None:
        """Serve what is deployed from now on."""
        _store_documents(patch)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _respond(self, request: Request) -> Response:
        """Respond to a request as API Gateway does."""
        api = _find(request)
        if api is None:
            return _message(403, "Forbidden")
        path = _target(request).partition("?")[0].removeprefix(f"/{api.stage}")
        try:
            route = RouteMatcher(api.document["paths"]).match_route(path)
            operations = api.document["paths"][route.route]
            operation = operations.get(request.method.lower()) or operations["x-amazon-apigateway-any-method"]
        except (ValueError, KeyError):
            return _message(403, MISSING)
        try:
            caller = _caller(api, operation, request, path)
        except SignatureError as error:
            return _message(403, str(error))
        except _NotAllowedError as error:
            return _message(403, str(error), "Message")
        integration = operation["x-amazon-apigateway-integration"]
        if integration["type"] == "mock":
            return _mock(integration)
        parameters = {name: unquote(value) for name, value in route.captured.items()}
        return self._invoke(api, integration["uri"], _event(request, route.route, parameters, caller))

    def _invoke(self, api: _Api, uri: str, event: dict[str, Any]) -> Response:
        function = find_function(uri.partition("/functions/")[2].removesuffix("/invocations"))
        source = api.arn(event["httpMethod"], event["resource"])
        if function is None or not may_invoke("apigateway.amazonaws.com", function, source):
            return _message(500, "Internal server error")
        response = json.loads(self._functions.invoke(function, event).payload)
        if "statusCode" not in response:
            return _message(502, "Internal server error")
        return Response(response["body"], response["statusCode"], response["headers"])


def _target(request: Request) -> str:
    """Return the path and query as sent."""
    return str(request.environ["REQUEST_URI"])


class _NotAllowedError(Exception):
    """The signer may not call this method."""


def _caller(api: _Api, operation: dict[str, Any], request: Request, path: str) -> Principal | None:
    """Return the caller of an operation that requires IAM authorization."""
    if not is_signed(api.document, operation):
        return None
    headers = {name.lower(): value for name, value in request.headers.items()}
    url = f"https://{request.host}{_target(request)}"
    caller = signer(request.method, url, headers, request.get_data(), "execute-api", REGION)
    invoked = api.arn(request.method, path)
    if caller.account != api.account or not iam.allows(caller.policies, "execute-api:Invoke", invoked):
        raise _NotAllowedError(
            f"User: {caller.arn} is not authorized to perform: execute-api:Invoke on resource: {invoked}"
        )
    return caller


def is_signed(swagger: dict[str, Any], operation: dict[str, Any]) -> bool:
    """Tell whether an operation requires IAM authorization."""
    schemes = swagger.get("securityDefinitions", {})
    names = [name for requirement in operation.get("security", []) for name in requirement]
    return any(schemes[name].get("x-amazon-apigateway-authtype") == "awsSigv4" for name in names)


def _event(request: Request, resource: str, parameters: dict[str, str], caller: Principal | None) -> dict[str, Any]:
    """Return the event that a function receives, in payload format 1.0."""
    headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
    return {
        "resource": resource,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": request.args.to_dict(flat=False) or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": request.method,
            "identity": {"sourceIp": "127.0.0.1", "userArn": caller.arn if caller else None},
            "resourcePath": resource,
        },
        "body": request.get_data(as_text=True) or None,
        "isBase64Encoded": False,
    }


def _find(request: Request) -> _Api | None:
    api_id, stage = request.host.partition(".")[0], request.path.split("/")[1]
    for account, regions in list(apigateway_backends.items()):
        api = regions[REGION].apis.get(api_id)
        document = getattr(api, "served", {}).get(stage)
        if document:
            return _Api(account, api_id, stage, document)
    return None


def _message(status: int, text: str, key: str = "message") -> Response:
    """Return a response of API Gateway itself."""
    return Response(json.dumps({key: text}), status, content_type="application/json")


def _mock(integration: dict[str, Any]) -> Response:
    (response,) = integration["responses"].values()
    headers = {
        name.removeprefix("method.response.header."): value.strip("'")
        for name, value in response["responseParameters"].items()
    }
    return Response(status=int(response["statusCode"]), headers=headers)


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing."""


def _store_documents(patch: pytest.MonkeyPatch) -> None:
    """Make moto accept Swagger 2.0, which Chalice sends, and store what each stage serves from a deployment on."""
    put, create = APIGatewayBackend.put_rest_api, RestAPI.create_deployment

    def import_rest_api(backend: Any, api_doc: dict[str, Any], fail_on_warnings: bool) -> RestAPI:
        api = backend.create_rest_api(name=api_doc["info"]["title"], description="")  # moto requires a description
        return put_rest_api(backend, api.id, api_doc, fail_on_warnings)

    def put_rest_api(backend: Any, function_id: str, api_doc: dict[str, Any], *arguments: Any, **named: Any) -> RestAPI:
        document = {name: value for name, value in api_doc.items() if name != "swagger"} | {"openapi": "3.0.1"}
        document["paths"] = {
            # moto requires a URI of each integration.
            path: {name: value for name, value in operations.items() if name != "options"}
            for path, operations in api_doc["paths"].items()
        }
        api = put(backend, function_id, document, *arguments, **named)
        api.__dict__["swagger"] = api_doc
        return api

    def create_deployment(api: Any, name: str, *arguments: Any, **named: Any) -> Any:
        api.__dict__.setdefault("served", {})[name] = api.swagger
        return create(api, name, *arguments, **named)

    patch.setattr(APIGatewayBackend, "import_rest_api", import_rest_api)
    patch.setattr(APIGatewayBackend, "put_rest_api", put_rest_api)
    patch.setattr(RestAPI, "create_deployment", create_deployment)
