"""Sends purchase events: to the stage's SNS topic, and as a text message to the admin's phone."""

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

from chalicelib.aws import sns
from chalicelib.config import StageConfig
from chalicelib.events import purchase_event
from chalicelib.events.purchase_event import EventError, PurchaseEvent
from chalicelib.problems import Problem
from chalicelib.telemetry import Telemetry


def sms_text(event: PurchaseEvent) -> str:
    """Return the text for the admin's phone."""
    prefix = {"note_purchased": "", "note_refunded": "REFUND: ", "note_disputed": "DISPUTE: "}[event.event]
    price = f"${event.amount / 100:,.2f}" if event.currency == "usd" else f"{event.amount} {event.currency}"
    notes = f"{event.storage} note{'' if event.storage == 1 else 's'}"
    subject = {"note_purchased": f" for {notes}", "note_refunded": f" of a purchase of {notes}"}.get(event.event, "")
    return f"{prefix}Scratch: {price}{subject if event.storage else ''} ({event.stage}), {event.payment_id}"


class Notifier:
    """Publishes to the stage's topic, and to the admin's phone.

    :param publish: :func:`chalicelib.aws.sns.publish`, or a function like it.
    """

    def __init__(self, config: StageConfig, telemetry: Telemetry, publish: Callable[..., None] = sns.publish) -> None:
        self._config = config
        self._telemetry = telemetry
        self._publish = publish

    def announce(self, stripe_event: dict[str, Any], function_arn: str) -> str | None:
        """Publish a verified Stripe event as a purchase event to the stage's topic.

        :param function_arn: the running function's, whose region and account are the topic's; empty outside Lambda.
        :return: the purchase event's name, or None if the event is not published.
        :raises Problem: ``announcement_failed``. Stripe sends the event again.
        """
        self._telemetry.note(stripe_event=stripe_event.get("id"), stripe_event_type=stripe_event["type"])
        try:
            event = purchase_event.from_stripe_event(stripe_event, self._config.stage)
            if event is None:
                return None
            self._telemetry.note(payment_id=event.payment_id)
            with self._telemetry.subsegment("SNS", "aws", operation="Publish"):
                attributes = {"event": event.event, "stage": event.stage}
                self._publish(json.dumps(event._asdict()), {"TopicArn": self._topic_arn(function_arn)}, attributes)
        except (EventError, sns.PublishError) as error:
            detail = "The event was not published. Send it again."
            raise Problem("announcement_failed", detail, retry_after=5, cause=str(error)) from error
        if event.event == "note_purchased":
            self._telemetry.count("Purchases")
            self._telemetry.count("Amount", event.amount, "None")
        return event.event

    def text_admin(self, message: str) -> None:
        """Text the admin's phone about a purchase event of this stage.

        A malformed message is logged and dropped, since it stays malformed. Branches share dev's topic, and each has a
        function that receives all its messages: those of another stage are dropped too.

        :param message: the JSON that the topic's subscribers receive.
        :raises sns.PublishError: the text was not sent. Lambda invokes the function again.
        """
        try:
            event = purchase_event.parse(message)
        except EventError as error:
            self._telemetry.count("NotifyUnreadable")
            self._telemetry.note(unreadable=str(error))
            return
        self._telemetry.note(payment_id=event.payment_id)
        if event.stage != self._config.stage:
            return
        try:
            with self._telemetry.subsegment("SNS", "aws", operation="Publish"):
                self._publish(sms_text(event), {"PhoneNumber": self._config.admin_phone})
        except sns.PublishError as error:
            self._telemetry.count("NotifyFailures")
            self._telemetry.note(cause=str(error))
            raise

    def _topic_arn(self, function_arn: str) -> str:
        _, partition, _, region, account = (function_arn or self._arn_outside_lambda).split(":")[:5]
        return f"arn:{partition}:sns:{region}:{account}:{self._config.note_purchased_topic}"

    @cached_property
    def _arn_outside_lambda(self) -> str:
        """The partition, region and account to use under `chalice local`."""
        return sns.account()
