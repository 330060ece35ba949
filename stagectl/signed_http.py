"""Requests to the deployed API, signed with SigV4 or unsigned."""

import json

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from stagectl.operator_error import OperatorError
from stagectl.target import Target

_TIMEOUT = (5, 30)  # seconds to connect and to respond; API Gateway itself gives up after 29


def call(
    target: Target, method: str, url: str, body: object = None, *, sign: bool = True, **headers: str
) -> requests.Response:
    """Send a request to the API.

    :param body: sent as JSON; None for no body.
    :param sign: sign with the operator's credentials, which API Gateway's IAM authorization requires.
    :param headers: names with _ for -.
    :raises OperatorError: the API can't be reached.
    """
    data = None if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        sent["Content-Type"] = "application/json"
    if sign:
        request = AWSRequest(method=method, url=url, data=data, headers=sent)
        SigV4Auth(target.session.get_credentials(), "execute-api", target.region).add_auth(request)
        sent = dict(request.headers.items())
    try:
        return requests.request(method, url, data=data, headers=sent, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        what = f"The API can't be reached ({type(error).__name__})."
        raise OperatorError(what, "Check the network, then repeat.") from error
