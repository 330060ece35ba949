"""AWS Signature Version 4: signs requests, also with a defined error, and verifies them by computing it again."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase

from tests.support.cloud.accounts import REGION, Account
from tests.support.cloud.principals import Principal, principal_of

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<date>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[\w;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_VALID_FOR = timedelta(minutes=5)


class SignatureError(Exception):
    """The signature is missing or invalid. The message is API Gateway's."""


MISSING = "Missing Authentication Token"
_UNKNOWN = "The security token included in the request is invalid."
_WRONG = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def signer(method: str, url: str, headers: Mapping[str, str], body: bytes, service: str, region: str) -> Principal:
    """Return the principal that signed a request.

    :param headers: names in lower case.
    :raises SignatureError: the signature is missing or invalid.
    """
    if "authorization" not in headers:
        raise SignatureError(MISSING)
    authorization = _AUTHORIZATION.fullmatch(headers["authorization"])
    if authorization is None or "x-amz-date" not in headers:
        raise SignatureError(_WRONG)
    principal = principal_of(authorization["key"])
    if principal is None or principal.session_token != headers.get("x-amz-security-token"):
        raise SignatureError(_UNKNOWN)
    if authorization["service"] != service or authorization["region"] != region:
        raise SignatureError(f"Credential should be scoped to a valid region and correct service: '{service}'.")
    date = headers["x-amz-date"]
    signed_at = datetime.strptime(date, SIGV4_TIMESTAMP).replace(tzinfo=timezone.utc)
    if abs(datetime.now(timezone.utc) - signed_at) > _VALID_FOR:
        raise SignatureError(f"Signature expired: {date} is no longer valid.")
    request = AWSRequest(
        method, url, {name: headers.get(name, "") for name in authorization["headers"].split(";")}, body
    )
    request.context["timestamp"] = date
    auth = SigV4Auth(Credentials(principal.key.access_key_id, principal.key.secret_access_key), service, region)
    if "host" not in request.headers or not hmac.compare_digest(_signature(auth, request), authorization["signature"]):
        raise SignatureError(_WRONG)
    return principal


def _signature(auth: SigV4Auth, request: AWSRequest) -> str:
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))


@dataclass
class Signer(AuthBase):
    """Signs with the key of an account's operator.

    Errors: ``key`` and ``secret`` replace the operator's, ``data`` is signed instead of the body, ``late`` shifts
    the time of the signature, and ``service`` is its scope.
    """

    account: Account
    key: str = ""
    secret: str = ""
    data: bytes | None = None
    late: timedelta = timedelta()
    service: str = "execute-api"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        own = self.account.key
        credentials = Credentials(self.key or own.access_key_id, self.secret or own.secret_access_key)
        auth = SigV4Auth(credentials, self.service, REGION)
        data = request.body or b"" if self.data is None else self.data
        signed = AWSRequest(str(request.method), str(request.url), data=data)
        signed.context["timestamp"] = (datetime.now(timezone.utc) + self.late).strftime(SIGV4_TIMESTAMP)
        auth._modify_request_before_signing(signed)
        auth._inject_signature_to_request(signed, _signature(auth, signed))
        request.headers.update(dict(signed.headers.items()))
        return request
