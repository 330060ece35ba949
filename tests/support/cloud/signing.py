"""Signs requests as a client of a deployed API does, or with a defined error."""

from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase

from tests.support.cloud.accounts import REGION, Account


class Signer(AuthBase):
    """Signs with the key of an account's operator.

    Errors: ``key`` and ``secret`` replace the operator's, ``data`` is signed instead of the body, ``late`` shifts
    the time of the signature, and ``service`` is its scope.
    """

    def __init__(
        self,
        account: Account,
        *,
        key: str = "",
        secret: str = "",
        data: bytes | None = None,
        late: timedelta = timedelta(),
        service: str = "execute-api",
    ) -> None:
        self._credentials = Credentials(key or account.key.access_key_id, secret or account.key.secret_access_key)
        self._data, self._late, self._service = data, late, service

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        data = request.body or b"" if self._data is None else self._data
        signed = AWSRequest(str(request.method), str(request.url), data=data)
        if "Content-Type" in request.headers:
            signed.headers["Content-Type"] = request.headers["Content-Type"]
        _SigV4(self._credentials, self._service, self._late).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


class _SigV4(SigV4Auth):
    def __init__(self, credentials: Credentials, service: str, late: timedelta) -> None:
        super().__init__(credentials, service, REGION)
        self._late = late

    def _modify_request_before_signing(self, request: Any) -> None:
        signed_at = datetime.now(timezone.utc) + self._late
        request.context["timestamp"] = signed_at.strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)
