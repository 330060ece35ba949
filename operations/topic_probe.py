"""The topic NotePurchased, and a temporary queue that is subscribed to it, to see the messages that arrive there."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stagectl.target import Target

_PREFIX = "notes-billing-smoke-"
_POLL = 2  # seconds that one ReceiveMessage waits


def topic_arn(target: Target) -> str:
    """Return the ARN of the stage's topic."""
    return f"arn:aws:sns:{target.region}:{target.account_region.account}:{target.config.note_purchased_topic}"


@contextmanager
def subscribed(target: Target) -> Iterator[str]:
    """Subscribe a queue to the stage's topic, and delete both at the end. First delete those of an interrupted run.

    :return: the queue's URL.
    """
    sns, sqs, topic = target.client("sns"), target.client("sqs"), topic_arn(target)
    _delete_queues(sns, sqs, topic)
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
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            },
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        yield url
    finally:
        _delete_queues(sns, sqs, topic)


def wait_for(target: Target, queue_url: str, payment_id: str, seconds: float) -> dict[str, Any] | None:
    """Return the message of a payment, or None if none arrives in time."""
    sqs, deadline = target.client("sqs"), time.monotonic() + seconds
    while time.monotonic() < deadline:
        received = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=_POLL, MaxNumberOfMessages=10)
        for record in received.get("Messages", []):
            message = json.loads(json.loads(record["Body"])["Message"])
            if message.get("payment_id") == payment_id:
                return dict(message)
    return None


def _delete_queues(sns: Any, sqs: Any, topic: str) -> None:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    for subscription in pages.search("Subscriptions[]"):
        if f":{_PREFIX}" in subscription["Endpoint"]:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    for url in sqs.list_queues(QueueNamePrefix=_PREFIX).get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=url)
