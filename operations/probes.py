"""Fetches the version of the Stripe key that a deployed function uses, from the log line of a request."""

import base64
import json
from typing import Any

from chalicelib.telemetry import KEY_VERSION_FIELD

# What API Gateway passes to the function for GET /health.
_UNUSED = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
_HEALTH = {
    **dict.fromkeys(_UNUSED),
    **{"resource": "/health", "path": "/health", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {}},
    "requestContext": {"resourcePath": "/health", "httpMethod": "GET", "path": "/api/health", "identity": {}},
    "isBase64Encoded": False,
}


def key_version(functions: Any, name: str) -> int | None:
    """Invoke a function with a request of GET /health, past API Gateway, and return the key's version in use.

    :param functions: boto3's Lambda client.
    :param name: the function of the routes.
    :return: None if the function has no key.
    """
    response = functions.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(_HEALTH).encode())
    log = base64.b64decode(response.get("LogResult", "")).decode(errors="replace")
    for line in reversed(log.splitlines()):
        _, brace, rest = line.partition("{")
        try:
            fields = json.loads(brace + rest)
        except ValueError:
            continue
        # app.py writes this field; see KEY_VERSION_FIELD.
        if isinstance(fields.get(KEY_VERSION_FIELD), int):
            return int(fields[KEY_VERSION_FIELD])
    return None
