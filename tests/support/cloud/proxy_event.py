"""A request to API Gateway, and the event that the function receives.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import time
import uuid
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.support.cloud.principals import Principal

# Hop-by-hop headers, which API Gateway removes.
_REMOVED = {"connection", "content-length", "keep-alive", "proxy-authorization", "te", "trailer",
                  "transfer-encoding", "upgrade"}  # fmt: skip
_IDENTITY = (
    "cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "principalOrgId", "accessKey",
    "cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn", "user",
)  # fmt: skip
_NOBODY = dict.fromkeys(_IDENTITY)


@dataclass(frozen=True)
class Request:
    """A request. ``target``: path and query."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @cached_property
    def single_headers(self) -> dict[str, str]:
        """The headers by name in lower case, repeated ones joined, as SigV4 signs them."""
        joined: dict[str, str] = {}
        for name, value in self.headers:
            key = name.lower()
            joined[key] = f"{joined[key]},{value}" if key in joined else value
        return joined

    @property
    def host(self) -> str:
        return self.single_headers.get("host", "").removesuffix(":443")

    @property
    def url(self) -> str:
        return f"https://{self.host}{self.target}"

    @property
    def path(self) -> str:
        """The path as sent, with the stage."""
        return self.target.partition("?")[0]

    @property
    def stage(self) -> str:
        return self.path.split("/")[1]

    @property
    def path_in_stage(self) -> str:
        return self.path[len(self.stage) + 1 :] or "/"

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)


def proxy_event(
    request: Request,
    account: str,
    api_id: str,
    resource: str,
    parameters: dict[str, str] | None,
    caller: Principal | None,
    binary: list[str],
) -> dict[str, Any]:
    """Build the event in payload format 1.0."""
    headers = [(name, value) for name, value in request.headers if name.lower() not in _REMOVED]
    trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
    headers += [("X-Amzn-Trace-Id", trace), ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Port", "443"),
                ("X-Forwarded-Proto", "https")]  # fmt: skip
    encoded = _is_binary(request.single_headers.get("content-type", "application/json"), binary)
    body = (base64.b64encode(request.body) if encoded else request.body).decode(errors="replace")
    return {
        "resource": resource,
        "path": unquote(request.path_in_stage),
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": _by_name(headers),
        "queryStringParameters": dict(request.query) or None,
        "multiValueQueryStringParameters": _by_name(request.query) or None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": _context(request, account, api_id, resource, caller),
        "body": body or None,
        "isBase64Encoded": encoded and bool(body),
    }


def _context(request: Request, account: str, api_id: str, resource: str, caller: Principal | None) -> dict[str, Any]:
    now = time.time()
    return {
        "resourceId": "000000",
        "resourcePath": resource,
        "httpMethod": request.method,
        "extendedRequestId": uuid.uuid4().hex[:15] + "=",
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "path": request.path,
        "accountId": account,
        "protocol": "HTTP/1.1",
        "stage": request.stage,
        "domainPrefix": api_id,
        "requestTimeEpoch": int(now * 1000),
        "requestId": str(uuid.uuid4()),
        "identity": _identity(caller) | {
            "sourceIp": "127.0.0.1", "userAgent": request.single_headers.get("user-agent"),
        },
        "domainName": request.host,
        "apiId": api_id,
    }  # fmt: skip


def _identity(caller: Principal | None) -> dict[str, Any]:
    if caller is None:
        return dict(_NOBODY)
    return _NOBODY | {
        "accountId": caller.account,
        "caller": caller.id,
        "user": caller.id,
        "userArn": caller.arn,
        "accessKey": caller.key.access_key_id,
    }


def _by_name(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _is_binary(content_type: str, binary: list[str]) -> bool:
    """Tell whether API Gateway encodes a body of this type in base64."""
    kind = content_type.partition(";")[0].strip().lower()
    return any(fnmatchcase(kind, pattern.lower()) for pattern in binary)
