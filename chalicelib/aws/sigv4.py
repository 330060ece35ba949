"""AWS Signature Version 4 for a POST to ``/``, as all calls of the JSON and query protocols are.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import time
from collections.abc import Mapping

from .credentials import AwsAccess

_ALGORITHM = "AWS4-HMAC-SHA256"


def sign_headers(
    access: AwsAccess, service: str, headers: Mapping[str, str], body: bytes, now: float | None = None
) -> dict[str, str]:
    """Return the headers of a call to the endpoint, with its signature added.

    :param headers: all but ``Host``, which is signed too, and which the HTTP client sends.
    :param now: Unix seconds; by default the current time. AWS rejects a signature that is 5 minutes off.
    """
    host = access.endpoint.partition("://")[2]
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {**headers, "X-Amz-Date": stamp, **({"X-Amz-Security-Token": access.token} if access.token else {})}
    canonical = sorted((name.lower(), value.strip()) for name, value in {**signed, "Host": host}.items())
    names = ";".join(name for name, _ in canonical)
    lines = "".join(f"{name}:{value}\n" for name, value in canonical)
    request = f"POST\n/\n\n{lines}\n{names}\n{_digest(body)}"
    scope = f"{stamp[:8]}/{access.region}/{service}/aws4_request"
    key = f"AWS4{access.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{_digest(request.encode())}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{access.key_id}/{scope}"
    signed["Authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return signed


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
