"""Calls to AWS signed by ourselves, where the environment holds credentials as Lambda sets them.

An SDK client for one call is most of a cold start. Whatever else a machine may have - profiles, SSO logins, roles of a
container - is the SDK's to find: :func:`chalicelib.config.aws_access` says which it is.
"""

from functools import lru_cache

from chalicelib.config import AwsAccess, Network
from chalicelib.http_client import Answer, HttpClient
from chalicelib.sigv4 import signed


def post(
    access: AwsAccess, service: str, headers: dict[str, str], body: bytes, *, connect: float, answer: float
) -> Answer:
    """Make one call.

    :param access: where the service is, and what to sign with.
    :param service: the name it is signed for, such as ``ssm``.
    :param connect: seconds for opening a connection.
    :param answer: seconds from sending the call to the last byte of its answer.
    :raises HttpError: there is no answer.
    """
    host = access.endpoint.partition("://")[2]
    sent = signed(
        headers,
        body,
        host=host,
        service=service,
        region=access.region,
        key_id=access.key_id,
        secret_key=access.secret_key,
        token=access.token,
    )
    return _client(access.endpoint, access.network, connect, answer).exchange("POST", "/", sent, body)


@lru_cache
def _client(endpoint: str, network: Network, connect: float, answer: float) -> HttpClient:
    return HttpClient(endpoint, network, connect=connect, answer=answer)
