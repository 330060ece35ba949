"""Calls the deployed API as a client does: signed with SigV4, or not."""

import json
from dataclasses import dataclass
from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from stagectl.target import Target

_TIMEOUT = (5, 30)  # seconds to connect, and to answer: API Gateway itself gives up after 29


@dataclass(frozen=True)
class Response:
    """``body``: what JSON it is, or None."""

    status: int
    body: Any
    milliseconds: float


def call(target: Target, method: str, url: str, body: object = None, *, sign: bool = True, **headers: str) -> Response:
    """Make a request of the API.

    :param body: sent as JSON; None for none.
    :param sign: whether to sign it with the operator's credentials (IAM authorization of API Gateway).
    :param headers: names with _ for -.
    :raises requests.RequestException: there is no answer.
    """
    data = None if body is None else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        given["Content-Type"] = "application/json"
    if sign:
        request = AWSRequest(method=method, url=url, data=data, headers=given)
        SigV4Auth(target.session.get_credentials(), "execute-api", target.region).add_auth(request)
        given = dict(request.headers.items())
    answer = requests.request(method, url, data=data, headers=given, timeout=_TIMEOUT, allow_redirects=False)
    try:
        content = answer.json()
    except ValueError:
        content = None
    return Response(answer.status_code, content, answer.elapsed.total_seconds() * 1000)
