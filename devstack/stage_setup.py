"""Sets up a stage on the emulated AWS and Stripe, as an operator does on the real ones."""

from typing import Any

import stripe

from chalicelib.config import StageConfig
from chalicelib.events.purchase_event import ANNOUNCED
from devstack.aws_emulator import AwsServer
from devstack.stripe.server import StripeServer

WEBHOOK_EVENTS: Any = sorted(ANNOUNCED)


def set_up(aws: AwsServer, payments: StripeServer, config: StageConfig, key: str, api: str) -> str:
    """Set up a stage on the emulated AWS and Stripe: its secrets, its webhook endpoint, its topic.

    :param key: the stage's Stripe key.
    :param api: the API's address.
    :return: the address of a queue that gets the topic's messages, for `notify`.
    """
    aws.put_secret(config.parameter("stripe-key"), key)
    client = stripe.StripeClient(key, base_addresses={"api": payments.url})
    endpoint = client.v1.webhook_endpoints.create({"url": f"{api}/stripe/webhook", "enabled_events": WEBHOOK_EVENTS})
    aws.put_secret(config.parameter("webhook-secret"), str(endpoint.secret))
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name=config.note_purchased_topic)["TopicArn"]
    queue = str(sqs.create_queue(QueueName="devstack-notify")["QueueUrl"])
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    return queue
