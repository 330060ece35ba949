"""Whether a purchase is heard of: topic, subscription, alarms, and Stripe's webhook."""

import json
from typing import Any

from botocore.exceptions import ClientError

from operations import webhook_endpoint
from operations.stripe_account import WEBHOOKS_WRITE
from stagectl.ages import age
from stagectl.doctor.context import CheckContext, Verdict, fail, ok, warn
from stagectl.errors import code_of

# Of a stack that has all that its template says: made, changed, or changed back.
_WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def resources(examined: CheckContext) -> Verdict:
    """Check that the stack is there, with the topic, the alarms and the dashboard."""
    name, status = examined.stack.name, examined.stack_status
    if status in _WHOLE:
        return ok(f"The stack {name} is {status}.")
    up, deploy = examined.stagectl("resources up"), examined.stagectl("deploy")
    there = _topic_attributes(examined) is not None
    remedy = up if there else deploy  # which subscribes notify to the new topic, too
    if status is None and there:
        delete = examined.aws(f"sns delete-topic --topic-arn {_topic_arn(examined)}")
        remedy = (
            "The topic was made by hand, and would be in the way (whoever subscribed to it, but for notify, has to do "
            f"so again): {delete} && {deploy}"
        )
    elif status == "UPDATE_ROLLBACK_FAILED":
        remedy = examined.aws(f"cloudformation continue-update-rollback --stack-name {name}") + f" && {up}"
    return fail(
        f"The stack {name}, with topic, alarms and dashboard, {f'is {status}' if status else 'does not exist'}.", remedy
    )


def topic(examined: CheckContext) -> Verdict | None:
    """Check that the topic is there and encrypted."""
    name, attributes = examined.config.note_purchased_topic, _topic_attributes(examined)
    if attributes is not None and attributes.get("KmsMasterKeyId"):
        return ok(f"The topic {name} is there, and encrypted.")
    if examined.stack_status not in _WHOLE:
        return None  # the line on the resources says it, and its remedy makes the topic
    if attributes is None:
        down = examined.stagectl("resources down", stage=examined.config.resources_stage)
        return fail(
            f"There is no topic {name}: it was deleted by hand, since its stack is there.",
            "Make the stack again, which loses the address that alarms are mailed to (resources up --alarm-email "
            f"sets it): {down} && {examined.stagectl('deploy')}",
        )
    encrypt = "--attribute-name KmsMasterKeyId --attribute-value alias/aws/sns"
    return warn(
        f"The topic {name} is not encrypted.",
        examined.aws(f"sns set-topic-attributes --topic-arn {_topic_arn(examined)} {encrypt}"),
    )


def subscription(examined: CheckContext) -> Verdict | None:
    """Check that notify hears of what is on the topic."""
    notify = examined.notify_function
    if notify is None or _topic_attributes(examined) is None:
        return None
    arn, deploy = _topic_arn(examined), examined.stagectl("deploy")
    pages = examined.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    if notify.arn not in [found["Endpoint"] for page in pages for found in page["Subscriptions"]]:
        return fail(f"{notify.name} is not subscribed to the topic: the admin is not texted.", deploy)
    if not _lets_sns_in(examined, notify.name, arn):
        return fail(f"{notify.name} does not let SNS invoke it: the admin is not texted.", deploy)
    return ok(f"{notify.name} is subscribed to the topic.")


def webhook(examined: CheckContext) -> Verdict | None:
    """Check that Stripe has an enabled endpoint that points at the API."""
    if examined.usable_key is None or not examined.apis:
        return None
    urls, up = [api.url + webhook_endpoint.PATH for api in examined.apis], examined.stagectl("webhook up")
    if examined.endpoints is None:
        return warn(
            f"The stored key lacks {WEBHOOKS_WRITE.name}, so Stripe's webhook endpoint was not checked.",
            f"Have it checked with another key, which is not stored: {up} --ask-key",
        )
    if not examined.endpoints:
        return fail("Stripe has no webhook endpoint for the stage: nobody hears of purchases.", up)
    here = [found for found in examined.endpoints if found.url in urls]
    if not here:
        others = ", ".join(found.url for found in examined.endpoints)
        return fail(f"Stripe's webhook endpoint points at {others}, not at {urls[0]}.", up)
    enabled = [found for found in here if found.enabled]
    if not enabled:
        return fail(f"Stripe's webhook endpoint {here[0].id} is disabled.", up)
    missing = sorted(set(webhook_endpoint.WANTED) - enabled[0].events)
    if missing and "*" not in enabled[0].events:
        return fail(f"Stripe's webhook endpoint {enabled[0].id} is not sent {', '.join(missing)}.", up)
    if len(enabled) > 1:
        ids = ", ".join(found.id for found in enabled)
        return warn(f"Several of Stripe's webhook endpoints point here, and all but one are refused: {ids}.", up)
    return ok(f"Stripe's webhook endpoint {enabled[0].id} is enabled and points here.")


def webhook_secret(examined: CheckContext) -> Verdict | None:
    """Check that the stored signing secret is the endpoint's."""
    name, stored = examined.config.parameter("webhook-secret"), examined.webhook_secret
    up = examined.stagectl("webhook up")
    if stored is None:
        return fail(f"{name} is not stored: every webhook is refused.", up)
    if stored.type != "SecureString":
        return fail(
            f"{name} is a {stored.type}, which whoever lists parameters can read.",
            f"{examined.aws(f'ssm delete-parameter --name {name}')} && {up}",
        )
    if examined.usable_key is None or not examined.apis or not examined.endpoints:
        return None
    if any(webhook_endpoint.secret_is_of(stored, found) for found in examined.endpoints):
        return ok(f"{name} is the endpoint's, stored {age(stored.modified)}.")
    replace = f"Replace the endpoint and its secret: {up}"
    if webhook_endpoint.names_an_endpoint(stored):
        return fail(f"{name} (version {stored.number}) is another endpoint's secret: webhooks are refused.", replace)
    return warn(
        f"{name} (version {stored.number}) was stored by hand: whether it is the endpoint's can't be told.", replace
    )


def _topic_arn(examined: CheckContext) -> str:
    home = examined.target.home
    return f"arn:aws:sns:{home.region}:{home.account}:{examined.config.note_purchased_topic}"


def _topic_attributes(examined: CheckContext) -> dict[str, str] | None:
    """Return the topic's attributes, None if there is no such topic."""
    try:
        return dict(examined.client("sns").get_topic_attributes(TopicArn=_topic_arn(examined))["Attributes"])
    except ClientError as error:
        if code_of(error) in ("NotFound", "NotFoundException"):
            return None
        raise


def _lets_sns_in(examined: CheckContext, function: str, topic_arn: str) -> bool:
    """Tell whether a function's own policy lets the topic invoke it. A function that was made again has lost it."""
    try:
        policy = json.loads(examined.client("lambda").get_policy(FunctionName=function)["Policy"])
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return False
        raise
    return any(_is_of(statement, topic_arn) for statement in policy["Statement"] if statement["Effect"] == "Allow")


def _is_of(statement: dict[str, Any], topic_arn: str) -> bool:
    principal, condition = json.dumps(statement["Principal"]), json.dumps(statement.get("Condition", topic_arn))
    return "sns.amazonaws.com" in principal and topic_arn in condition
