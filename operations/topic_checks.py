"""Whether purchases are announced: the stack, its topic NotePurchased, and notify's subscription to it."""

import json

from operations.topic_probe import topic_arn
from stagectl.aws_errors import ignore_error
from stagectl.doctor.context import CheckContext, Verdict, fail, fetch_once, ok, warn

# The last change of the stack succeeded, or was rolled back completely.
_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def resources(context: CheckContext) -> Verdict:
    """Check that the stack of the topic, the alarms and the dashboard is complete."""
    name, status = context.stack.name, context.stack_status()
    if status in _COMPLETE:
        return ok(f"The stack {name} is {status}.")
    up, deploy = context.stagectl("resources up"), context.stagectl("deploy")
    topic_exists = _topic_attributes(context) is not None
    remedy, command = "", up if topic_exists else deploy  # a deploy subscribes notify to the new topic, too
    if status is None and topic_exists:
        delete = context.aws(f"sns delete-topic --topic-arn {topic_arn(context.target)}")
        remedy = (
            "The topic was made by hand, and the stack can't be made while it exists. Delete it and deploy "
            "(subscribers other than notify must subscribe again):"
        )
        command = f"{delete} && {deploy}"
    elif status == "UPDATE_ROLLBACK_FAILED":
        command = context.aws(f"cloudformation continue-update-rollback --stack-name {name}") + f" && {up}"
    state = f"is {status}" if status else "does not exist"
    return fail(f"The stack {name}, with topic, alarms and dashboard, {state}.", remedy, command)


def topic(context: CheckContext) -> Verdict | None:
    """Check that the topic exists and is encrypted."""
    name, attributes = context.config.note_purchased_topic, _topic_attributes(context)
    if attributes is not None and attributes.get("KmsMasterKeyId"):
        return ok(f"The topic {name} exists and is encrypted.")
    if context.stack_status() not in _COMPLETE:
        return None  # the line `resources` reports it, and its command makes the topic
    if attributes is None:
        down = context.stagectl("resources down", stage=context.config.resources_stage)
        return fail(
            f"There is no topic {name}: its stack exists, so it was deleted by hand.",
            "Make the stack again. The email address of the alarms is lost; set it with resources up --alarm-email.",
            f"{down} && {context.stagectl('deploy')}",
        )
    encrypt = "--attribute-name KmsMasterKeyId --attribute-value alias/aws/sns"
    return warn(
        f"The topic {name} is not encrypted.",
        command=context.aws(f"sns set-topic-attributes --topic-arn {topic_arn(context.target)} {encrypt}"),
    )


def subscription(context: CheckContext) -> Verdict | None:
    """Check that notify is subscribed to the topic, and SNS may invoke it."""
    notify = context.function(context.target.notify_name)
    if notify is None or _topic_attributes(context) is None:
        return None
    arn, deploy = topic_arn(context.target), context.stagectl("deploy")
    pages = context.target.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    if notify.arn not in pages.search("Subscriptions[].Endpoint"):
        return fail(f"{notify.name} is not subscribed to the topic: the admin is not texted.", command=deploy)
    if not _is_invocable_by(context, notify.name, arn):
        return fail(f"{notify.name} does not let SNS invoke it: the admin is not texted.", command=deploy)
    return ok(f"{notify.name} is subscribed to the topic.")


@fetch_once
def _topic_attributes(context: CheckContext) -> dict[str, str] | None:
    """Fetch the topic's attributes; None if there is no such topic."""
    sns = context.target.client("sns")
    with ignore_error("NotFound", "NotFoundException"):
        return dict(sns.get_topic_attributes(TopicArn=topic_arn(context.target))["Attributes"])
    return None


def _is_invocable_by(context: CheckContext, function: str, topic: str) -> bool:
    """Return whether the function's own policy lets the topic invoke it. A function that was recreated has lost it."""
    with ignore_error("ResourceNotFoundException"):
        policy = json.loads(context.target.client("lambda").get_policy(FunctionName=function)["Policy"])
        return any(
            statement["Effect"] == "Allow"
            and "sns.amazonaws.com" in json.dumps(statement["Principal"])
            and topic in json.dumps(statement.get("Condition", topic))
            for statement in policy["Statement"]
        )
    return False
