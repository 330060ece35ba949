"""Sends purchase events: to the stage's SNS topic, and as a text message to the admin's phone."""

import json
from dataclasses import asdict
from functools import cached_property

from chalicelib.aws import sns
from chalicelib.events.purchase_event import PurchaseEvent


def sms_text(event: PurchaseEvent) -> str:
    """Return the text for the admin's phone."""
    first = {"note_purchased": "", "note_refunded": "REFUND: ", "note_disputed": "DISPUTE: "}[event.event]
    price = f"${event.amount / 100:,.2f}" if event.currency == "usd" else f"{event.amount} {event.currency}"
    number = f"{event.storage} note{'' if event.storage == 1 else 's'}"
    of_what = {"note_purchased": f" for {number}", "note_refunded": f" of a purchase of {number}"}.get(event.event, "")
    return f"{first}Scratch: {price}{of_what if event.storage else ''} ({event.stage}), {event.payment_id}"


class Publisher:
    """Publishes to the stage's topic, and to phones."""

    def __init__(self, topic: str) -> None:
        """Nothing is called yet.

        :param topic: the topic's name.
        """
        self._topic = topic

    @cached_property
    def _account(self) -> str:
        """What stands for the function's ARN under `chalice local`."""
        return sns.account()

    def announce(self, event: PurchaseEvent, function_arn: str) -> None:
        """Publish to the stage's topic.

        :param event: what happened.
        :param function_arn: the running function's, whose region and account are the topic's; empty outside Lambda.
        :raises sns.PublishError: it was not published.
        """
        _, partition, _, region, account = (function_arn or self._account).split(":")[:5]
        to = {"TopicArn": f"arn:{partition}:sns:{region}:{account}:{self._topic}"}
        sns.publish(json.dumps(asdict(event)), to, {"event": event.event, "stage": event.stage})

    def text(self, phone: str, message: str) -> None:
        """Send a text message.

        :param phone: E.164.
        :raises sns.PublishError: it was not sent.
        """
        sns.publish(message, {"PhoneNumber": phone})
