"""Runs the Lambda function `notify` for each message of a queue: `python -m devstack.notify_worker QUEUE_URL`.

moto can run Lambda functions only in Docker, so a queue subscribes to the topic and this process reads the queue. When
the function raises, it gets the message again, as on Lambda.
"""

import json
import sys
import uuid
from types import SimpleNamespace

import boto3

import app
from devstack.child_process import end_with_parent


def main(queue_url: str) -> None:
    """Pass every message of the queue to the function, until the process ends."""
    sqs = boto3.client("sqs")
    while True:
        response = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in response.get("Messages", []):
            notification = json.loads(message["Body"])
            record = {name: notification.get(name) for name in ("Message", "Subject", "MessageAttributes")}
            context = SimpleNamespace(aws_request_id=str(uuid.uuid4()))
            try:
                app.notify({"Records": [{"Sns": record}]}, context)
            except Exception as error:  # noqa: BLE001 - Lambda, too, retries after any exception
                print(f"notify failed and will be retried: {error}", flush=True)  # noqa: T201
            else:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1])
