"""AWS Signature Version 4 for a POST to ``/``, which is how the JSON and query protocols call everything.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-sign_headers-request.html
"""

import hashlib
import hmac
import time
from collections.abc import Mapping

_ALGORITHM = "AWS4-HMAC-SHA256"


def sign_headers(
    headers: Mapping[str, str],
    body: bytes,
    *,
    host: str,
    service: str,
    region: str,
    key_id: str,
    secret_key: str,
    token: str,
    now: float | None = None,
) -> dict[str, str]:
    """Return a request's headers with its signature.

    :param headers: all but ``Host``, which is sign_headers too and sent by the HTTP client.
    :param host: as it will be sent, with a port that is not the scheme's own.
    :param token: the session token of temporary credentials, or empty.
    :param now: Unix seconds; the present if left out. AWS refuses what is 5 minutes off.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    sent = {**headers, "X-Amz-Date": stamp, **({"X-Amz-Security-Token": token} if token else {})}
    canonical = sorted((name.lower(), value.strip()) for name, value in {**sent, "Host": host}.items())
    names = ";".join(name for name, _ in canonical)
    lines = "".join(f"{name}:{value}\n" for name, value in canonical)
    request = f"POST\n/\n\n{lines}\n{names}\n{_digest(body)}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{_digest(request.encode())}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    sent["Authorization"] = f"{_ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return sent


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
