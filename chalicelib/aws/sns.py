"""Publish, the one call to Amazon SNS, and the account to publish in."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from .client import AwsService, CallError, TransientError, call_error

# Seconds. Two attempts end before Stripe stops waiting for the response to a webhook, and before API Gateway does.
_CONNECT_TIMEOUT, _RESPONSE_TIMEOUT = 2.0, 5.0

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

_sns = AwsService("sns", connect_timeout=_CONNECT_TIMEOUT, response_timeout=_RESPONSE_TIMEOUT)
_sts = AwsService("sts", connect_timeout=_CONNECT_TIMEOUT, response_timeout=_RESPONSE_TIMEOUT)


class PublishError(Exception):
    """SNS did not accept a message. The text is for logs."""


def publish(
    message: str, target: Mapping[str, str], attributes: Mapping[str, str] | None = None, service: AwsService = _sns
) -> None:
    """Publish a message. Retry once: where a response was lost, the message may arrive twice.

    :param target: ``{"TopicArn": …}`` or ``{"PhoneNumber": …}``.
    :param attributes: message attributes, by which subscribers filter.
    :param service: makes the calls.
    :raises PublishError: it was not published.
    """
    try:
        try:
            _publish(service, message, target, attributes or {})
        except TransientError:
            _publish(service, message, target, attributes or {})
    except CallError as error:
        raise PublishError(str(error)) from error


def account() -> str:
    """Return a function ARN's first parts - partition, region and account - where no function runs.

    :raises PublishError: AWS does not return the account.
    """
    import boto3  # slow to import

    try:
        number = _sts.call_sdk("get_caller_identity")["Account"]
    except CallError as error:
        raise PublishError(str(error)) from error
    return f"arn:aws:lambda:{boto3.session.Session().region_name}:{number}"


def _publish(service: AwsService, message: str, target: Mapping[str, str], attributes: Mapping[str, str]) -> None:
    form = {"Action": "Publish", "Version": "2010-03-31", "Message": message, **target}
    for number, (name, value) in enumerate(attributes.items(), 1):
        entry = f"MessageAttributes.entry.{number}"
        form |= {f"{entry}.Name": name, f"{entry}.Value.DataType": "String", f"{entry}.Value.StringValue": value}
    response = service.post(_HEADERS, urlencode(form).encode())
    if response is None:
        typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        service.call_sdk("publish", Message=message, MessageAttributes=typed, **target)
    elif response.status != 200:
        code = re.search(rb"<Code>(\w{1,100})</Code>", response.body)
        raise call_error(code[1].decode() if code else "", response.status)
    elif b"<MessageId>" not in response.body:  # the responding server is not SNS, and published nothing
        raise TransientError("malformed response (200)")
