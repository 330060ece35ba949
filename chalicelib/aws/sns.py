"""The one call to Amazon SNS, Publish: signed by ourselves in Lambda, by boto3 everywhere else."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from . import client
from .credentials import AwsAccess, resolve_access
from .http_client import HttpError

# Seconds, and attempts: they end before Stripe gives up on a webhook, and before API Gateway does.
_CONNECT, _ANSWER, _ATTEMPTS = 2.0, 5.0, 2


class PublishError(Exception):
    """SNS did not take a message; the text is for logs."""


def publish(message: str, to: Mapping[str, str], attributes: Mapping[str, str] | None = None) -> None:
    """Publish a message, once or more: an attempt whose answer was lost is repeated.

    :param to: ``{"TopicArn": …}`` or ``{"PhoneNumber": …}``.
    :param attributes: message attributes, which subscribers filter by.
    :raises PublishError: it was not published.
    """
    access = resolve_access("sns")
    if access is not None:
        _publish(access, message, to, attributes or {})
        return
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()}
    _by_sdk(lambda: _sdk().publish(Message=message, MessageAttributes=typed, **to))


def account() -> str:
    """Return what stands for a function's ARN where there is no function: partition, region and account.

    :raises PublishError: AWS does not say.
    """

    def asked() -> str:
        import boto3

        found = boto3.client("sts", config=_sdk_config()).get_caller_identity()["Account"]
        return f"arn:aws:lambda:{_sdk().meta.region_name}:{found}"

    return str(_by_sdk(asked))


def _publish(access: AwsAccess, message: str, to: Mapping[str, str], attributes: Mapping[str, str]) -> None:
    form = {"Action": "Publish", "Version": "2010-03-31", "Message": message, **to}
    for number, (name, value) in enumerate(attributes.items(), 1):
        entry = f"MessageAttributes.entry.{number}"
        form |= {f"{entry}.Name": name, f"{entry}.Value.DataType": "String", f"{entry}.Value.StringValue": value}
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    failure = ""
    for _ in range(_ATTEMPTS):
        try:
            answer = client.post(access, "sns", headers, urlencode(form).encode(), connect=_CONNECT, answer=_ANSWER)
        except HttpError as error:
            failure = f"{type(error).__name__}: {error}"
            continue
        # What answers 200 without being SNS has published nothing.
        if answer.status == 200 and b"<MessageId>" in answer.body:
            return
        code = re.search(rb"<Code>(\w{1,100})</Code>", answer.body)
        failure = f"{code[1].decode() if code else 'an answer that is none'} ({answer.status})"
        if answer.status < 500 and answer.status not in (200, 429):
            break
    raise PublishError(failure)


def _sdk_config() -> Any:
    from botocore.config import Config

    retries = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
    return Config(connect_timeout=_CONNECT, read_timeout=_ANSWER, retries=retries)


@lru_cache
def _sdk() -> Any:
    import boto3

    return boto3.client("sns", config=_sdk_config())


def _by_sdk(call: Any) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return call()
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise PublishError(f"{type(error).__name__}: {error}") from error
