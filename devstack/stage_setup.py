"""What a stage needs before anybody can pay: its secrets, its topic, its webhook endpoint."""

from typing import Any

import stripe

from chalicelib.config import StageConfig
from chalicelib.events.purchase_event import ANNOUNCED
from devstack import notify_worker
from devstack.aws_emulator import AwsServer
from devstack.stripe.server import StripeServer

WEBHOOK_EVENTS: Any = sorted(ANNOUNCED)


def set_up(aws: AwsServer, payments: StripeServer, config: StageConfig, key: str, api: str) -> str:
    """Set a stage up on the emulated AWS and Stripe, as an operator does it on the real ones.

    :param key: Stripe's key of the stage.
    :param api: the API's address.
    :return: the address of the queue that `notify` is to be fed from.
    """
    aws.put_secret(config.stripe_key_parameter, key)
    client = stripe.StripeClient(key, base_addresses={"api": payments.url})
    endpoint = client.v1.webhook_endpoints.create({"url": f"{api}/stripe/webhook", "enabled_events": WEBHOOK_EVENTS})
    aws.put_secret(config.webhook_secret_parameter, str(endpoint.secret))
    sns = aws.client("sns")
    topic = sns.create_topic(Name=config.note_purchased_topic)["TopicArn"]
    return notify_worker.subscribe(sns, aws.client("sqs"), topic)
