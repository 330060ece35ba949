"""API Gateway: the REST APIs that Chalice deploys, of every account.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from moto.apigateway.models import RestAPI, apigateway_backends
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend

from tests.support.cloud.functions import Functions
from tests.support.cloud.invocations import may_invoke
from tests.support.cloud.policies import allows
from tests.support.cloud.principals import Principal
from tests.support.cloud.proxy_event import Request, proxy_event
from tests.support.cloud.rest_apis import is_signed
from tests.support.cloud.signatures import MISSING, SignatureError, signer

HOSTS = r"\w+\.execute-api\.[a-z0-9-]+\.amazonaws\.com"
_HOST = re.compile(r"(?P<api>\w+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")


@dataclass(frozen=True)
class Response:
    """A response to a client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def message(status: int, text: str, key: str = "message") -> Response:
    """Return a response of API Gateway itself."""
    return Response(status, [("Content-Type", "application/json")], json.dumps({key: text}).encode())


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
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gateway = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="gateway", daemon=True)
        self.address: tuple[str, int] = ("127.0.0.1", self._server.server_address[1])

    def start(self) -> "Gateway":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def respond(self, request: Request) -> Response:
        """Respond to a request as API Gateway does."""
        api = _find(request)
        if api is None:
            return message(403, "Forbidden")
        resource, parameters = _route(api.document["paths"], request.path_in_stage)
        operations = api.document["paths"].get(resource, {})
        operation = operations.get(request.method.lower()) or operations.get("x-amazon-apigateway-any-method")
        if operation is None:
            return message(403, MISSING)
        try:
            caller = _caller(api, operation, request)
        except SignatureError as error:
            return message(403, str(error))
        except _NotAllowedError as error:
            return message(403, str(error), "Message")
        integration = operation["x-amazon-apigateway-integration"]
        if integration["type"] == "mock":
            return _mock(integration)
        binary = api.document.get("x-amazon-apigateway-binary-media-types", [])
        event = proxy_event(request, api.account, api.api.id, resource, parameters, caller, binary)
        return self._invoke(api, integration["uri"], resource, event)

    def _invoke(self, api: _Api, uri: str, resource: str, event: dict[str, Any]) -> Response:
        function = _function(uri)
        if function is None or not may_invoke(
            "apigateway.amazonaws.com", function, api.arn(event["httpMethod"], resource)
        ):
            return message(500, "Internal server error")
        result = self._functions.invoke(function, event)
        if result.failed:
            timed_out = b"Task timed out" in result.payload
            return message(504, "Endpoint request timed out") if timed_out else message(502, "Internal server error")
        try:
            return _proxied(json.loads(result.payload), event["requestContext"]["requestId"])
        except (TypeError, KeyError, ValueError, AttributeError):
            return message(502, "Internal server error")  # the function returned a malformed proxy response


class _NotAllowedError(Exception):
    """The signer may not call this method."""


def _caller(api: _Api, operation: dict[str, Any], request: Request) -> Principal | None:
    """Return the caller of an operation that requires IAM authorization."""
    if not is_signed(api.document, operation):
        return None
    caller = signer(request.method, request.url, request.single_headers, request.body, "execute-api", api.region)
    invoked = api.arn(request.method, request.path_in_stage)
    if caller.account != api.account or not allows(caller.policies.values(), "execute-api:Invoke", invoked):
        raise _NotAllowedError(
            f"User: {caller.arn} is not authorized to perform: execute-api:Invoke on resource: {invoked}"
        )
    return caller


def _find(request: Request) -> _Api | None:
    host = _HOST.fullmatch(request.host)
    stage = request.stage
    for account, regions in list(apigateway_backends.items()) if host else []:
        api = regions[host["region"]].apis.get(host["api"]) if host else None
        document = getattr(api, "served", {}).get(stage) if api else None
        if api and host and document and stage in api.stages:
            return _Api(account, host["region"], api, stage, document)
    return None


def _route(paths: dict[str, Any], path: str) -> tuple[str, dict[str, str] | None]:
    """Return the resource of a path and the path's parameters. Literal parts have precedence over parameters."""
    segments = path.rstrip("/").split("/")
    candidates = []
    for resource in paths:
        parts = resource.rstrip("/").split("/")
        variable = [part.startswith("{") for part in parts]
        if len(parts) == len(segments) and all(v or p == g for p, g, v in zip(parts, segments, variable, strict=True)):
            candidates.append((variable, resource, parts))
    if not candidates:
        return "", None
    variable, resource, parts = min(candidates)
    values = {p[1:-1]: unquote(g) for p, g, v in zip(parts, segments, variable, strict=True) if v}
    return resource, values or None


def _function(uri: str) -> LambdaFunction | None:
    """Return the function of an integration's URI."""
    arn = uri.partition("/functions/")[2].removesuffix("/invocations")
    _, _, _, region, account, _, name = arn.split(":")
    return next((f for f in get_backend(account, region).list_functions() if f.function_name == name), None)


def _mock(integration: dict[str, Any]) -> Response:
    (response,) = integration["responses"].values()
    headers = [
        (name.removeprefix("method.response.header."), value.strip("'"))
        for name, value in response.get("responseParameters", {}).items()
    ]
    return Response(int(response["statusCode"]), headers, b"")


def _proxied(response: dict[str, Any], request_id: str) -> Response:
    body = response.get("body") or ""
    try:
        content = base64.b64decode(body, validate=True) if response.get("isBase64Encoded") else body.encode()
    except binascii.Error as error:
        raise ValueError("the body is not base64") from error
    headers = dict(_headers(response))
    headers.setdefault("Content-Type", "application/json")
    headers["x-amzn-RequestId"] = request_id
    repeated = [(name, value) for name, values in (response.get("multiValueHeaders") or {}).items() for value in values]
    return Response(int(response["statusCode"]), [*headers.items(), *repeated], content)


def _headers(response: dict[str, Any]) -> Iterator[tuple[str, str]]:
    repeated = {name.lower() for name in response.get("multiValueHeaders") or {}}
    for name, value in (response.get("headers") or {}).items():
        if name.lower() not in repeated:
            yield name, str(value)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gateway: Gateway

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: the client closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        response = self.server.gateway.respond(Request(self.command, self.path, list(self.headers.items()), body))
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else response.body)
        self.wfile.flush()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
