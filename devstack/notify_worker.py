"""Runs the Lambda function `notify` for each message of a queue: `python -m devstack.notify_worker QUEUE_URL`.

moto can run Lambda functions only in Docker, so a queue subscribes to the topic and this process reads the queue. When
the function raises, it gets the message again, as on Lambda.
"""

import json
import os
import sys
import threading
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
from chalice.config import Config

from devstack.child_process import PROJECT, Parent
from devstack.source_files import keep_source_lines
from stagectl import project_check

_PROCESSING_TIMEOUT = 30  # seconds for which no other process receives the message
_RETRY_PAUSE = 1  # seconds until a message is received again after `notify` failed


class NotifyWorker:
    """Passes messages to the function, one at a time, until it has to finish."""

    def __init__(self, sqs: Any, queue_url: str, notify: Callable[[dict[str, Any], object], object]) -> None:
        """Receive nothing yet.

        :param sqs: boto3's client of SQS.
        :param notify: the Lambda function.
        """
        self._sqs, self._queue_url, self._notify = sqs, queue_url, notify
        self._processing = threading.Lock()
        self._is_finishing = False

    def run(self) -> None:
        """Pass every message to the function, until :meth:`finish` is called."""
        while not self._is_finishing:
            response = self._sqs.receive_message(
                QueueUrl=self._queue_url, WaitTimeSeconds=1, VisibilityTimeout=_PROCESSING_TIMEOUT
            )
            for message in response.get("Messages", []):
                with self._processing:
                    if self._is_finishing:
                        self._return(message, 0)
                    else:
                        self._process(message)

    def finish(self) -> None:
        """Wait for the end of the current message, and process no other."""
        with self._processing:
            self._is_finishing = True

    def _process(self, message: dict[str, Any]) -> None:
        notification = json.loads(message["Body"])
        record = {name: notification.get(name) for name in ("Message", "Subject", "MessageAttributes")}
        context = SimpleNamespace(aws_request_id=str(uuid.uuid4()))
        try:
            self._notify({"Records": [{"Sns": record}]}, context)
        except Exception as error:  # noqa: BLE001 - Lambda, too, retries after any exception
            print(f"notify failed and will be retried: {error}", flush=True)  # noqa: T201
            self._return(message, _RETRY_PAUSE)
        else:
            self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _return(self, message: dict[str, Any], seconds: int) -> None:
        """Let the message be received again after some seconds."""
        self._sqs.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )


def main(queue_url: str) -> None:
    """Run the stage dev's function as .chalice/config.json sets it up."""
    parent = Parent()
    on_lambda = Config(chalice_stage="dev", config_from_disk=project_check.read(PROJECT / ".chalice"))
    os.environ.update(on_lambda.environment_variables)
    import app

    worker = NotifyWorker(boto3.client("sqs"), queue_url, app.notify)

    def finish() -> None:
        worker.finish()
        parent.report_finishing()

    parent.on_finish = finish
    keep_source_lines()
    parent.report_ready()
    worker.run()


if __name__ == "__main__":
    main(sys.argv[1])
