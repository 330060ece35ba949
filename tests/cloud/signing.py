"""Requests that are signed as a client of a deployed API signs them."""

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase

from tests.cloud.accounts import REGION, Account


class Signer(AuthBase):
    """Signs with the key of an account's operator."""

    def __init__(self, account: Account) -> None:
        self._credentials = Credentials(account.key.access_key_id, account.key.secret_access_key)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        signed = AWSRequest(str(request.method), str(request.url), data=request.body or b"")
        if "Content-Type" in request.headers:
            signed.headers["Content-Type"] = request.headers["Content-Type"]
        SigV4Auth(self._credentials, "execute-api", REGION).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request
