"""Requests to the deployed API, signed with SigV4 or unsigned."""

import json
from dataclasses import dataclass
from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from stagectl.target import Target

_TIMEOUT = (5, 30)  # seconds to connect and to respond; API Gateway itself gives up after 29


@dataclass(frozen=True)
class Response:
    """``body``: parsed JSON, or None if it is not JSON."""

    status: int
    body: Any
    milliseconds: float


def call(target: Target, method: str, url: str, body: object = None, *, sign: bool = True, **headers: str) -> Response:
    """Send a request to the API.

    :param body: sent as JSON; None for no body.
    :param sign: sign with the operator's credentials, which API Gateway's IAM authorization requires.
    :param headers: names with _ for -.
    :raises requests.RequestException: the API can't be reached.
    """
    data = None if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        sent["Content-Type"] = "application/json"
    if sign:
        request = AWSRequest(method=method, url=url, data=data, headers=sent)
        SigV4Auth(target.session.get_credentials(), "execute-api", target.region).add_auth(request)
        sent = dict(request.headers.items())
    response = requests.request(method, url, data=data, headers=sent, timeout=_TIMEOUT, allow_redirects=False)
    try:
        content = response.json()
    except ValueError:
        content = None
    return Response(response.status_code, content, response.elapsed.total_seconds() * 1000)
