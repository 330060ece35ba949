"""A queue on the topic for as long as somebody listens, to see what arrives there."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stagectl.target import Target

_PREFIX = "notes-billing-smoke-"
_POLL = 2  # seconds that one question waits


class Listener:
    """What arrives on a topic."""

    def __init__(self, sqs: Any, queue: str) -> None:
        """:param queue: its URL."""
        self._sqs = sqs
        self._queue = queue

    def wait_for(self, payment_id: str, seconds: float) -> dict[str, Any] | None:
        """Return the message of a payment, or None if none comes in time."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            got = self._sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=_POLL, MaxNumberOfMessages=10)
            for message in got.get("Messages", []):
                told = json.loads(json.loads(message["Body"])["Message"])
                if told.get("payment_id") == payment_id:
                    return dict(told)
        return None


@contextmanager
def listening(target: Target, topic_arn: str) -> Iterator[Listener]:
    """Subscribe a queue to a topic, and take both away again. What an interrupted run left is taken away first."""
    sns, sqs = target.client("sns"), target.client("sqs")
    _sweep(sns, sqs, topic_arn)
    url = sqs.create_queue(QueueName=_PREFIX + secrets.token_hex(4))["QueueUrl"]
    try:
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
            },
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        yield Listener(sqs, url)
    finally:
        _sweep(sns, sqs, topic_arn)


def _sweep(sns: Any, sqs: Any, topic_arn: str) -> None:
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn):
        for subscription in page["Subscriptions"]:
            if f":{_PREFIX}" in subscription["Endpoint"]:
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    for url in sqs.list_queues(QueueNamePrefix=_PREFIX).get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=url)
