"""The one call to AWS Systems Manager Parameter Store: signed by ourselves in Lambda, by boto3 everywhere else."""

import json
import logging
from dataclasses import dataclass, field
from typing import Any

from . import client
from .credentials import AwsAccess, resolve_access
from .http_client import HttpError

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonErrors.html; GetParameter throttles at 40 a
# second for a whole account and region.
_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}

# Seconds for one call, which is tried once.
CONNECT, ANSWER = 0.5, 1.0

# botocore writes whole response bodies, so the decrypted value too, into its debug log.
logging.getLogger("botocore.parsers").setLevel(logging.INFO)


class RefusedError(Exception):
    """Parameter Store does not give the parameter; the message says why, and never has the value."""


class TransientError(Exception):
    """Worth another try; the message says what happened."""


class ThrottledError(TransientError):
    """The account's limit on reads is used up for the moment: others read at the same time, and it passes."""


@dataclass(frozen=True)
class Stored:
    """A parameter as Parameter Store has it. ``version`` counts up from 1 with each change."""

    kind: str
    value: str = field(repr=False)
    version: int | None


class ParameterStore:
    """Reads parameters. Keeps the SDK's client, where it needs one, until a call goes wrong."""

    def __init__(self) -> None:
        self._client: Any = None

    def get(self, name: str) -> Stored:
        """Make one GetParameter call.

        :raises ThrottledError: the account reads more than it may.
        :raises TransientError: a server error, no answer, or one that is none.
        :raises RefusedError: everything else that Parameter Store says.
        :raises Exception: what the SDK makes of a machine's configuration.
        """
        access = resolve_access("ssm")
        answer = _called(access, name) if access else self._called(name)
        try:
            parameter = answer["Parameter"]
            version = parameter.get("Version")
            value = parameter["Value"].strip()
            return Stored(parameter["Type"], value, version if isinstance(version, int) else None)
        except (KeyError, TypeError, AttributeError) as error:
            kind = type(error).__name__
        raise TransientError(f"an answer that is none ({kind})")  # no cause: it may quote the value

    def _called(self, name: str) -> Any:
        import boto3  # here, since it is slow to import
        from botocore.config import Config
        from botocore.exceptions import ClientError, HTTPClientError
        from botocore.parsers import ResponseParserError

        try:
            if self._client is None:
                config = Config(connect_timeout=CONNECT, read_timeout=ANSWER, retries={"total_max_attempts": 1})
                # A session of its own: boto3's default one would keep credentials that were not there the first time.
                self._client = boto3.session.Session().client("ssm", config=config)
            return self._client.get_parameter(Name=name, WithDecryption=True)
        except ClientError as error:
            status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
            raise _failure(error.response["Error"].get("Code"), status, str(error)) from error
        except HTTPClientError as error:
            raise TransientError(str(error)) from error
        except (ResponseParserError, KeyError, TypeError, AttributeError) as error:
            kind = type(error).__name__
        except Exception:
            self._client = None
            raise
        raise TransientError(
            f"an answer that is none ({kind})"
        )  # no cause: what botocore quotes of it may hold the value


def _called(access: AwsAccess, name: str) -> Any:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.GetParameter"}
    body = json.dumps({"Name": name, "WithDecryption": True}).encode()
    try:
        answer = client.post(access, "ssm", headers, body, connect=CONNECT, answer=ANSWER)
    except HttpError as error:
        raise TransientError(str(error)) from error
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if answer.status == 200:
        return said
    said = said if isinstance(said, dict) else {}
    code = str(said.get("__type", "")).rpartition("#")[2]
    raise _failure(code, answer.status, f"{code or 'an error'} ({answer.status}): {said.get('message', '')}")


def _failure(code: str | None, status: int, message: str) -> Exception:
    if code in _THROTTLED:
        return ThrottledError(f"{code} ({status})")
    if status >= 500:
        return TransientError(f"{code} ({status})")
    return RefusedError(message)
