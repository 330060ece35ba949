"""The function `notify` as Lambda would run it for the topic: `python -m devstack.notify_worker QUEUE_URL`.

moto runs Lambda code in Docker only, so the topic is subscribed by a queue, and this takes the messages from there. As
with Lambda, a message for which the function raises is given to it again.
"""

import json
import sys
import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3

from devstack.child_process import end_with_parent

# Seconds: how long a message whose handling failed stays away, and how long a call waits for messages.
RETRY_AFTER = 1
_WAIT = 1


@dataclass(frozen=True)
class Context:
    """What the app uses of Lambda's context object."""

    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


def subscribe(sns: Any, sqs: Any, topic_arn: str) -> str:
    """Subscribe a queue to the topic.

    :return: the queue's address.
    """
    attributes = {"VisibilityTimeout": str(RETRY_AFTER)}
    url = str(sqs.create_queue(QueueName="devstack-notify", Attributes=attributes)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return url


def main(queue_url: str) -> None:
    """Hand every message of the queue to the function, until the process is ended."""
    import app  # here, since the other things in this file are used without it

    sqs = boto3.client("sqs")
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=_WAIT)
        for message in answer.get("Messages", []):
            notification = json.loads(message["Body"])
            record = {name: notification.get(name) for name in ("Message", "Subject", "MessageAttributes")}
            try:
                app.notify({"Records": [{"Sns": record}]}, Context())
            except Exception as error:  # noqa: BLE001 - Lambda, too, repeats whatever the function raised
                print(f"notify failed, and gets the message again: {error}", flush=True)  # noqa: T201
            else:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1])
