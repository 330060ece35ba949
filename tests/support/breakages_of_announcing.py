"""Problems of dev in CloudFormation, SNS, Stripe and the checkout, each repaired at the end."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import stripe
from moto.cloudformation.models import cloudformation_backends

from tests.support.breakages import NOTIFY, Breakage, breakage, stored
from tests.support.cloud.accounts import REGION
from tests.support.operator_session import Operator

STACK = "notes-billing-dev"


def topic_arn(operator: Operator) -> str:
    return f"arn:aws:sns:{REGION}:{operator.dev.id}:NotePurchased-dev"


def notify_arn(operator: Operator) -> str:
    return f"arn:aws:lambda:{REGION}:{operator.dev.id}:function:{NOTIFY}"


@breakage
def stack_status(operator: Operator, status: str):
    """Set the status of the stack, because moto has no failed stacks."""
    stacks = cloudformation_backends[operator.dev.id][REGION].stacks.values()
    (stack,) = [stack for stack in stacks if stack.name == STACK]
    before, stack.status = stack.status, status
    try:
        yield
    finally:
        if stack.status == status:
            stack.status = before


@breakage
def unencrypted_topic(operator: Operator):
    sns = operator.dev.client("sns")
    attribute = {"TopicArn": topic_arn(operator), "AttributeName": "KmsMasterKeyId"}
    sns.set_topic_attributes(**attribute, AttributeValue="")
    try:
        yield
    finally:
        sns.set_topic_attributes(**attribute, AttributeValue="alias/aws/sns")


@breakage
def unsubscribed(operator: Operator):
    sns = operator.dev.client("sns")
    for subscription in sns.list_subscriptions_by_topic(TopicArn=topic_arn(operator))["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    try:
        yield
    finally:
        sns.subscribe(TopicArn=topic_arn(operator), Protocol="lambda", Endpoint=notify_arn(operator))


@breakage
def closed_to_sns(operator: Operator):
    client = operator.dev.client("lambda")
    for statement in json.loads(client.get_policy(FunctionName=NOTIFY)["Policy"])["Statement"]:
        client.remove_permission(FunctionName=NOTIFY, StatementId=statement["Sid"])
    try:
        yield
    finally:
        with contextlib.suppress(client.exceptions.ResourceConflictException):
            client.add_permission(
                FunctionName=NOTIFY,
                StatementId="again",
                Action="lambda:InvokeFunction",
                Principal="sns.amazonaws.com",
                SourceArn=topic_arn(operator),
            )


def endpoints(operator: Operator) -> list[dict[str, Any]]:
    """Return the endpoints of the operator's dev from the Stripe emulator."""
    endpoints = [it.to_dict() for it in _stripe(operator).v1.webhook_endpoints.list({"limit": 100}).data]
    return [
        it
        for it in endpoints
        if (it["metadata"].get("account"), it["metadata"].get("stage")) == (operator.dev.id, "dev")
    ]


def _stripe(operator: Operator) -> stripe.StripeClient:
    return stripe.StripeClient(stored(operator), base_addresses={"api": operator.stack.stripe.url})


@breakage
def no_endpoint(operator: Operator):
    """Delete the endpoint. Only the remedy restores it, because a new endpoint has another secret."""
    for current in endpoints(operator):
        _stripe(operator).v1.webhook_endpoints.delete(current["id"])
    try:
        yield
    finally:
        if not endpoints(operator):
            operator.does("webhook", "up", "--stage", "dev")


@breakage
def endpoint(operator: Operator, **settings: Any):
    """Change the endpoint's settings."""
    (current,) = endpoints(operator)
    client = _stripe(operator).v1.webhook_endpoints
    client.update(current["id"], settings)
    try:
        yield
    finally:
        before = {"url": current["url"], "enabled_events": list(current["enabled_events"]), "disabled": False}
        client.update(current["id"], before)


@breakage
def second_endpoint(operator: Operator):
    (current,) = endpoints(operator)
    client = _stripe(operator).v1.webhook_endpoints
    second = client.create({"url": current["url"], "enabled_events": list(current["enabled_events"])})
    try:
        yield
    finally:
        with contextlib.suppress(stripe.InvalidRequestError):
            client.delete(second.id)


@breakage
def edited(operator: Operator, name: str, edit: Callable[[str], str]):
    """Edit a file of `.chalice`."""
    file = operator.folder / ".chalice" / name
    before = file.read_text()
    file.write_text(edit(before))
    try:
        yield
    finally:
        file.write_text(before)


def config_json(change: Callable[[dict[str, Any]], Any]) -> Breakage:
    def edit(text: str) -> str:
        content = json.loads(text)
        change(content)
        return json.dumps(content)

    return edited("config.json", edit)


def set_for_notify(content: dict[str, Any], **variables: str) -> None:
    content["stages"]["dev"]["lambda_functions"] = {"notify": {"environment_variables": variables}}


def pins(text: str = "{}") -> Breakage:
    """Replace the contents of accounts.json."""
    return edited("accounts.json", lambda _: text)


@breakage
def production_key(operator: Operator):
    """Store production's key, and pin production to its account. Nothing else of it exists."""
    pin = {"account": operator.prod.id, "region": REGION}
    ssm = operator.prod.client("ssm")
    ssm.put_parameter(Name="/stripeSecretKey/live", Value=operator.live_key, Type="SecureString", Overwrite=True)
    with edited("accounts.json", lambda text: json.dumps({**json.loads(text), "prod": pin}))(operator):
        yield


def at_once(*breakages: Any) -> Callable[[Operator], contextlib.AbstractContextManager[None]]:
    @contextlib.contextmanager
    def broken(operator: Operator) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for breakage in breakages:
                stack.enter_context(breakage(operator))
            yield

    return broken
