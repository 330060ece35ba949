"""Signs requests as a client of a deployed API does, or with a defined error."""

from datetime import datetime
from typing import Any

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase

from tests.support.cloud.accounts import REGION, Account


class Signer(AuthBase):
    """Signs with the key of an account's operator.

    Errors: ``data`` is signed instead of the body, ``secret`` is used instead of the key's, and ``at`` is the time of
    the signature.
    """

    def __init__(
        self, account: Account, *, data: bytes | None = None, secret: str = "", at: datetime | None = None
    ) -> None:
        self._credentials = Credentials(account.key.access_key_id, secret or account.key.secret_access_key)
        self._data, self._at = data, at

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        data = request.body or b"" if self._data is None else self._data
        signed = AWSRequest(str(request.method), str(request.url), data=data)
        if "Content-Type" in request.headers:
            signed.headers["Content-Type"] = request.headers["Content-Type"]
        _SigV4(self._credentials, self._at).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


class _SigV4(SigV4Auth):
    def __init__(self, credentials: Credentials, at: datetime | None) -> None:
        super().__init__(credentials, "execute-api", REGION)
        self._at = at

    def _modify_request_before_signing(self, request: Any) -> None:
        if self._at:
            request.context["timestamp"] = self._at.strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)
