"""GetParameter, the one call to AWS Systems Manager Parameter Store."""

import json
import logging
from typing import Any

from .client import AwsService, TransientError, call_error
from .http_client import Response

# Seconds.
_CONNECT_TIMEOUT, _RESPONSE_TIMEOUT = 0.5, 1.0
CALL_TIMEOUT = _CONNECT_TIMEOUT + _RESPONSE_TIMEOUT

_HEADERS = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameter"}

# botocore writes whole response bodies, including the decrypted value, to its debug log.
logging.getLogger("botocore.parsers").setLevel(logging.INFO)


class Parameter:
    """A parameter, decrypted. ``type``: such as SecureString. ``version``: counts up from 1 with each change."""

    def __init__(self, type: str, value: str, version: int | None) -> None:
        self.type, self.value, self.version = type, value, version


class ParameterStore:
    """Reads parameters.

    :param service: makes the calls; by default with this module's timeouts.
    """

    def __init__(self, service: AwsService | None = None) -> None:
        self._service = service or AwsService(
            "ssm", connect_timeout=_CONNECT_TIMEOUT, response_timeout=_RESPONSE_TIMEOUT
        )

    def get(self, name: str) -> Parameter:
        """Make one GetParameter call.

        :raises ThrottledError: the account reads more often than its limit allows (by default 40 times per second).
        :raises TransientError: a server error, a malformed response, or none.
        :raises RejectedError: Parameter Store rejected the call, or the machine's settings do not allow one.
        """
        params = {"Name": name, "WithDecryption": True}
        response = self._service.post(_HEADERS, json.dumps(params).encode())
        output = _parse(response) if response else self._service.call_sdk("get_parameter", **params)
        try:
            parameter = output["Parameter"]
            version = parameter.get("Version")
            value = parameter["Value"].strip()
            return Parameter(parameter["Type"], value, version if isinstance(version, int) else None)
        except (KeyError, TypeError, AttributeError) as error:
            malformed = TransientError(f"malformed response ({type(error).__name__})")
        raise malformed  # without a cause: it may quote the value


def _parse(response: Response) -> Any:
    try:
        output = json.loads(response.body)
    except ValueError:
        output = None
    if response.status == 200:
        return output
    output = output if isinstance(output, dict) else {}
    raise call_error(str(output.get("__type", "")).rpartition("#")[2], response.status, str(output.get("message", "")))
