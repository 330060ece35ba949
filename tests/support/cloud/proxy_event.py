"""The event that a function receives of a request to API Gateway, in payload format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import time
import uuid
from fnmatch import fnmatchcase
from typing import Any

from werkzeug.wrappers import Request

from tests.support.cloud.principals import Principal

# Hop-by-hop headers, which API Gateway removes.
_REMOVED = {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
_NOBODY = dict.fromkeys(
    ("accountId", "caller", "user", "userArn", "accessKey", "cognitoIdentityId", "cognitoIdentityPoolId",
     "cognitoAuthenticationType", "cognitoAuthenticationProvider", "principalOrgId")
)  # fmt: skip


def proxy_event(
    request: Request,
    account: str,
    api_id: str,
    resource: str,
    parameters: dict[str, str] | None,
    caller: Principal | None,
    binary: list[str],
) -> dict[str, Any]:
    """Build the event.

    :param binary: the media types whose bodies API Gateway encodes in base64.
    """
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _REMOVED}
    headers["X-Amzn-Trace-Id"] = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
    headers["X-Forwarded-Proto"] = "https"
    encoded = any(fnmatchcase(request.mimetype or "application/json", pattern) for pattern in binary)
    data, stage = request.get_data(), request.path.split("/")[1]
    return {
        "resource": resource,
        "path": request.path[len(stage) + 1 :] or "/",
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": request.args.to_dict() or None,
        "multiValueQueryStringParameters": request.args.to_dict(flat=False) or None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": {
            "accountId": account,
            "apiId": api_id,
            "domainName": request.host,
            "httpMethod": request.method,
            "identity": _NOBODY | _identity(caller) | {"sourceIp": "127.0.0.1"},
            "path": request.path,
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": int(time.time() * 1000),
            "resourcePath": resource,
            "stage": stage,
        },
        "body": (base64.b64encode(data) if encoded else data).decode(errors="replace") or None,
        "isBase64Encoded": encoded and bool(data),
    }


def _identity(caller: Principal | None) -> dict[str, Any]:
    if caller is None:
        return {}
    return {
        "accountId": caller.account,
        "caller": caller.id,
        "user": caller.id,
        "userArn": caller.arn,
        "accessKey": caller.key.access_key_id,
    }
