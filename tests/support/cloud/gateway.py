"""API Gateway: the REST APIs that Chalice deploys, of every account.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import json
import re
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from chalice.local import RouteMatcher
from moto.apigateway.models import RestAPI, apigateway_backends
from werkzeug.datastructures import Headers
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.support import iam
from tests.support.cloud.functions import Functions, find_function
from tests.support.cloud.invocations import may_invoke
from tests.support.cloud.principals import Principal
from tests.support.cloud.proxy_event import proxy_event
from tests.support.cloud.rest_apis import is_signed
from tests.support.cloud.signatures import MISSING, SignatureError, signer

HOSTS = r"(?P<api>\w+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com"


@dataclass(frozen=True)
class _Api:
    """An API with its account and the document that its stage serves."""

    account: str
    region: str
    api: RestAPI
    stage: str
    document: dict[str, Any]

    def arn(self, method: str, path: str) -> str:
        return f"arn:aws:execute-api:{self.region}:{self.account}:{self.api.id}/{self.stage}/{method}{path}"


class Gateway:
    """Listens on loopback for requests to all execute-api hosts."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        application = Request.application(self._respond)
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="gateway", daemon=True)
        self.address: tuple[str, int] = ("127.0.0.1", self._server.port)

    def start(self) -> None:
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
        path = target(request).partition("?")[0].removeprefix(f"/{api.stage}") or "/"
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
        binary = api.document.get("x-amazon-apigateway-binary-media-types", [])
        event = proxy_event(request, api.account, api.api.id, route.route, parameters or None, caller, binary)
        return self._invoke(api, integration["uri"], route.route, event)

    def _invoke(self, api: _Api, uri: str, resource: str, event: dict[str, Any]) -> Response:
        function = find_function(uri.partition("/functions/")[2].removesuffix("/invocations"))
        source = api.arn(event["httpMethod"], resource)
        if function is None or not may_invoke("apigateway.amazonaws.com", function, source):
            return _message(500, "Internal server error")
        result = self._functions.invoke(function, event)
        try:
            return _proxied(json.loads(result.payload))
        except (TypeError, KeyError, ValueError, AttributeError):
            return _message(502, "Internal server error")  # an error, or a malformed proxy response


def target(request: Request) -> str:
    """Return the path and query as sent."""
    return str(request.environ["REQUEST_URI"])


class _NotAllowedError(Exception):
    """The signer may not call this method."""


def _caller(api: _Api, operation: dict[str, Any], request: Request, path: str) -> Principal | None:
    """Return the caller of an operation that requires IAM authorization."""
    if not is_signed(api.document, operation):
        return None
    headers = {name.lower(): value for name, value in request.headers.items()}
    url = f"https://{request.host}{target(request)}"
    caller = signer(request.method, url, headers, request.get_data(), "execute-api", api.region)
    invoked = api.arn(request.method, path)
    if caller.account != api.account or not iam.allows(caller.policies.values(), "execute-api:Invoke", invoked):
        raise _NotAllowedError(
            f"User: {caller.arn} is not authorized to perform: execute-api:Invoke on resource: {invoked}"
        )
    return caller


def _find(request: Request) -> _Api | None:
    host = re.fullmatch(HOSTS, request.host)
    stage = request.path.split("/")[1]
    for account, regions in list(apigateway_backends.items()) if host else []:
        api = regions[host["region"]].apis.get(host["api"]) if host else None
        document = getattr(api, "served", {}).get(stage) if api else None
        if api and host and document and stage in api.stages:
            return _Api(account, host["region"], api, stage, document)
    return None


def _message(status: int, text: str, key: str = "message") -> Response:
    """Return a response of API Gateway itself."""
    return Response(json.dumps({key: text}), status, content_type="application/json")


def _mock(integration: dict[str, Any]) -> Response:
    (response,) = integration["responses"].values()
    headers = {
        name.removeprefix("method.response.header."): value.strip("'")
        for name, value in response.get("responseParameters", {}).items()
    }
    return Response(status=int(response["statusCode"]), headers=headers)


def _proxied(response: dict[str, Any]) -> Response:
    body = response.get("body") or ""
    content = base64.b64decode(body, validate=True) if response.get("isBase64Encoded") else body.encode()
    headers = Headers(response.get("headers") or {})
    for name, values in (response.get("multiValueHeaders") or {}).items():
        headers.setlist(name, values)
    headers.setdefault("Content-Type", "application/json")
    return Response(content, int(response["statusCode"]), headers)


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing."""
