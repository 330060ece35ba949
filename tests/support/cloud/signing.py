"""Signs requests as a client of a deployed API does, or with a defined error."""

from datetime import datetime, timedelta, timezone

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
        auth = SigV4Auth(self._credentials, self._service, REGION)
        signed.context["timestamp"] = (datetime.now(timezone.utc) + self._late).strftime(SIGV4_TIMESTAMP)
        auth._modify_request_before_signing(signed)
        signature = auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
        auth._inject_signature_to_request(signed, signature)
        request.headers.update(dict(signed.headers.items()))
        return request
