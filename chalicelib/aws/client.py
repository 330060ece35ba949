"""Calls to AWS: signed here where the environment holds credentials, as in Lambda, and made by boto3 elsewhere.

An SDK client for one call is most of a cold start. But profiles, SSO logins and container roles need the SDK:
:func:`.credentials.resolve_access` tells which case it is.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .credentials import AwsAccess, resolve_access
from .http_client import CaFileError, HttpClient, HttpError, Response, UntrustedCertificateError
from .sigv4 import sign_headers

# The roots of AWS's own certificate authority. To load the system's 140 roots takes a quarter of a cold start.
AMAZON_ROOTS = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")  # noqa: PTH118, PTH120 - pathlib costs 4 ms

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonErrors.html
_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}


class CallError(Exception):
    """A call to AWS failed. The message is for logs, and quotes no response body."""


class RejectedError(CallError):
    """AWS rejected the call, or the machine's settings do not allow one: a retry fails too."""


class TransientError(CallError):
    """A server error, a malformed response, or none: a retry may succeed."""


class ThrottledError(TransientError):
    """The account's rate limit is exceeded at the moment."""


def call_error(code: str, status: int, message: str = "") -> CallError:
    """Return the error for an error response of AWS, with AWS's code and message."""
    text = f"{code or 'error without a code'} ({status}){message and ': '}{message}"
    if code in _THROTTLED or status == 429:
        return ThrottledError(text)
    return TransientError(text) if status >= 500 else RejectedError(text)


class AwsService:
    """Calls one AWS service. A call is attempted once.

    :param name: as in the service's host name, such as ``ssm``.
    :param connect_timeout: seconds for opening a connection.
    :param response_timeout: seconds from sending a call to the last byte of its response.
    :param ca_file: the CA certificates to verify AWS with, unless the environment names others.
    """

    def __init__(
        self,
        name: str,
        *,
        connect_timeout: float,
        response_timeout: float,
        ca_file: str = AMAZON_ROOTS,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._name, self._ca_file, self._environ = name, ca_file, environ
        self._timeouts = {"connect_timeout": connect_timeout, "response_timeout": response_timeout}
        self._sdk_client: Any = None

    def post(self, headers: dict[str, str], body: bytes) -> Response | None:
        """Make a signed call. Return None where only boto3 can find the credentials.

        :raises CallError: there is no response.
        """
        access = resolve_access(self._name, self._environ)
        if access is None:
            return None
        signed = sign_headers(access, self._name, headers, body)
        try:
            try:
                return self._exchange(access, self._ca_file, signed, body)
            except UntrustedCertificateError:  # should AWS change its authority: nothing was sent yet
                return self._exchange(access, None, signed, body)
        except HttpError as error:
            kind = RejectedError if isinstance(error, CaFileError) else TransientError
            raise kind(f"{type(error).__name__}: {error}") from error

    def _exchange(self, access: AwsAccess, ca_file: str | None, headers: dict[str, str], body: bytes) -> Response:
        client = _http_client(access.endpoint, access.network, ca_file=ca_file, **self._timeouts)
        return client.exchange("POST", "/", headers, body)

    def call_sdk(self, operation: str, **params: Any) -> Any:
        """Make a call with boto3.

        :param operation: a method of boto3's client, such as ``get_parameter``.
        :raises CallError: the call failed.
        """
        import boto3  # slow to import
        from botocore.config import Config
        from botocore.exceptions import ClientError, HTTPClientError
        from botocore.parsers import ResponseParserError

        try:
            if self._sdk_client is None:
                config = Config(
                    connect_timeout=self._timeouts["connect_timeout"],
                    read_timeout=self._timeouts["response_timeout"],
                    retries={"total_max_attempts": 1},
                )
                # A session of its own: boto3's default session would not notice credentials that come later.
                self._sdk_client = boto3.session.Session().client(self._name, config=config)
            return getattr(self._sdk_client, operation)(**params)
        except ClientError as error:
            code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
            raise call_error(code, error.response["ResponseMetadata"].get("HTTPStatusCode", 0), message) from error
        except HTTPClientError as error:
            raise TransientError(f"{type(error).__name__}: {error}") from error
        except (ResponseParserError, KeyError, TypeError, AttributeError) as error:
            malformed = TransientError(f"malformed response ({type(error).__name__})")
        except Exception as error:  # no credentials, for example: a client would not notice credentials that come later
            self._sdk_client = None
            raise RejectedError(f"{type(error).__name__}: {error}") from error
        raise malformed  # without a cause: botocore's may quote a secret value


_http_client = lru_cache(HttpClient)  # all callers share the connections
