"""Verifies AWS Signature Version 4 of a request by computing it again."""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

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
    token = headers.get("x-amz-security-token")
    if principal is None or principal.session_token != token:
        raise SignatureError(_UNKNOWN)
    _check_scope(authorization, headers["x-amz-date"], service, region)
    signed = {name: headers.get(name, "") for name in authorization["headers"].split(";")}
    if "host" not in signed or not hmac.compare_digest(
        _signature(principal, method, url, signed, body, authorization), authorization["signature"]
    ):
        raise SignatureError(_WRONG)
    return principal


def _check_scope(authorization: re.Match[str], date: str, service: str, region: str) -> None:
    if authorization["service"] != service or authorization["region"] != region:
        raise SignatureError(f"Credential should be scoped to a valid region and correct service: '{service}'.")
    signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    if abs(datetime.now(timezone.utc) - signed_at) > _VALID_FOR:
        raise SignatureError(f"Signature expired: {date} is no longer valid.")


def _signature(
    principal: Principal, method: str, url: str, signed: Mapping[str, str], body: bytes, authorization: re.Match[str]
) -> str:
    credentials = Credentials(principal.key.access_key_id, principal.key.secret_access_key)
    auth = SigV4Auth(credentials, authorization["service"], authorization["region"])
    request = AWSRequest(method, url, headers=dict(signed), data=body)
    request.context["timestamp"] = signed.get("x-amz-date", "")
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
