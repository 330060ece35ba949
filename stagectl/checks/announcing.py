"""Whether a purchase is heard of: topic, subscription, alarms, and Stripe's webhook."""

from stagectl import endpoint
from stagectl.ages import age
from stagectl.checks.examined import Examined, Finding
from stagectl.stack import Stack


def topic(examined: Examined) -> Finding:
    """Check that the topic is there and encrypted."""
    name = examined.config.note_purchased_topic
    up = f"stagectl resources up --stage {examined.target.stage}"
    arn, sns = _topic_arn(examined), examined.client("sns")
    pages = sns.get_paginator("list_topics").paginate()
    if not any(found["TopicArn"] == arn for page in pages for found in page["Topics"]):
        return Finding("topic", "fail", f"There is no topic {name}.", up)
    if not sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("KmsMasterKeyId"):
        return Finding(
            "topic", "warn", f"The topic {name} is not encrypted.", f"Delete it if it was made by hand; {up}"
        )
    return Finding("topic", "ok", f"The topic {name} is there, and encrypted.")


def subscription(examined: Examined) -> Finding | None:
    """Check that notify hears of what is on the topic."""
    if examined.notify_function is None:
        return None
    found = [
        subscription["Endpoint"]
        for page in examined.client("sns").get_paginator("list_subscriptions").paginate()
        for subscription in page["Subscriptions"]
        if subscription["TopicArn"] == _topic_arn(examined)
    ]
    if examined.notify_function.arn not in found:
        return Finding(
            "subscription",
            "fail",
            f"{examined.notify_function.name} is not subscribed to the topic: the admin is not texted.",
            f"stagectl deploy --stage {examined.target.stage}",
        )
    return Finding("subscription", "ok", f"{examined.notify_function.name} is subscribed to the topic.")


def resources(examined: Examined) -> Finding:
    """Check that alarms and dashboard are there."""
    stack = Stack(examined.client("cloudformation"), examined.config.resources_stage, lambda _line: None)
    status = stack.status()
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        return Finding(
            "resources",
            "fail",
            f"The stack {stack.name}, with the alarms, {f'is {status}' if status else 'does not exist'}.",
            f"stagectl resources up --stage {examined.target.stage}",
        )
    return Finding("resources", "ok", f"The stack {stack.name} is {status}.")


def webhook(examined: Examined) -> Finding | None:
    """Check that Stripe has an enabled endpoint that points at the API."""
    if examined.usable_key is None or not examined.apis:
        return None
    url, up = examined.apis[0].url + endpoint.PATH, f"stagectl webhook up --stage {examined.target.stage}"
    if not examined.endpoints:
        return Finding(
            "webhook", "fail", "Stripe has no webhook endpoint for the stage: nobody hears of purchases.", up
        )
    here = [found for found in examined.endpoints if found.url == url]
    if not here:
        others = ", ".join(found.url for found in examined.endpoints)
        return Finding("webhook", "fail", f"Stripe's webhook endpoint points at {others}, not at {url}.", up)
    if not any(found.enabled for found in here):
        return Finding("webhook", "fail", f"Stripe's webhook endpoint {here[0].id} is disabled.", up)
    missing = sorted(set(endpoint.WANTED) - here[0].events)
    if missing and "*" not in here[0].events:
        return Finding("webhook", "fail", f"Stripe's webhook endpoint is not sent {', '.join(missing)}.", up)
    return Finding("webhook", "ok", f"Stripe's webhook endpoint {here[0].id} is enabled and points here.")


def webhook_secret(examined: Examined) -> Finding | None:
    """Check that the stored signing secret is the endpoint's."""
    name, stored = examined.config.webhook_secret_parameter, examined.webhook_secret
    up = f"stagectl webhook up --stage {examined.target.stage}"
    if stored is None:
        return Finding("webhook-secret", "fail", f"{name} is not stored: every webhook is refused.", up)
    if stored.type != "SecureString":
        return Finding(
            "webhook-secret", "fail", f"{name} is a {stored.type}.", f"aws ssm delete-parameter --name {name}; {up}"
        )
    if examined.usable_key is None or not examined.apis or not examined.endpoints:
        return None
    if not any(endpoint.secret_is_of(stored, found) for found in examined.endpoints):
        return Finding(
            "webhook-secret",
            "warn" if not endpoint.names_an_endpoint(stored) else "fail",
            f"{name} (version {stored.number}) is not known to be the endpoint's secret: webhooks may be refused.",
            f"{up} replaces the endpoint and its secret.",
        )
    return Finding("webhook-secret", "ok", f"{name} is the endpoint's, stored {age(stored.modified)}.")


def _topic_arn(examined: Examined) -> str:
    home = examined.target.home
    return f"arn:aws:sns:{home.region}:{home.account}:{examined.config.note_purchased_topic}"
