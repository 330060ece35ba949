"""Calls to AWS sign_headers by ourselves, where the environment holds credentials as Lambda sets them.

An SDK client for one call is most of a cold start. Whatever else a machine may have - profiles, SSO logins, roles of a
container - is the SDK's to find: :func:`chalicelib.config.aws_access` says which it is.
"""

import os
from functools import lru_cache

from .credentials import AwsAccess, Network
from .http_client import CertificateError, HttpClient, Response
from .sigv4 import sign_headers

# The roots of AWS's own authority: to load a system's 140 takes a quarter of a cold start.
_ROOTS = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")  # noqa: PTH118, PTH120 - pathlib costs 4 ms


def post(
    access: AwsAccess, service: str, headers: dict[str, str], body: bytes, *, connect: float, answer: float
) -> Response:
    """Make one call.

    :param access: where the service is, and what to sign with.
    :param service: the name it is sign_headers for, such as ``ssm``.
    :param connect: seconds for opening a connection.
    :param answer: seconds from sending the call to the last byte of its answer.
    :raises HttpError: there is no answer.
    """
    host = access.endpoint.partition("://")[2]
    sent = sign_headers(
        headers,
        body,
        host=host,
        service=service,
        region=access.region,
        key_id=access.key_id,
        secret_key=access.secret_key,
        token=access.token,
    )
    try:
        return _client(access.endpoint, access.network, _ROOTS, connect, answer).exchange("POST", "/", sent, body)
    except CertificateError:  # should AWS ever take another authority: nothing was sent, and the system's roots have it
        return _client(access.endpoint, access.network, None, connect, answer).exchange("POST", "/", sent, body)


@lru_cache
def _client(endpoint: str, network: Network, ca_file: str | None, connect: float, answer: float) -> HttpClient:
    return HttpClient(endpoint, network, ca_file=ca_file, connect=connect, answer=answer)
