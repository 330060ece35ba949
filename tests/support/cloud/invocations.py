"""Invokes functions for Lambda's Invoke, and for a message that SNS delivers."""

import json
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.core.utils import utcnow
from moto.sns.models import Subscription

from tests.support.cloud.functions import Functions, tail
from tests.support.cloud.policies import is_allowed_for_service
from tests.support.cloud.replacements import Replacements


def connect(replacements: Replacements, functions: Functions) -> None:
    """Make moto run functions until the replacements are undone."""

    def invoke(self: LambdaFunction, body: Any, request_headers: Any, response_headers: Any) -> bytes:
        kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
        event = json.loads(body) if body else {}
        if kind == "Event":
            functions.invoke_later(self, event)
        if kind != "RequestResponse":
            return b""
        result = functions.invoke(self, event)
        response_headers["x-amz-executed-version"] = "$LATEST"
        response_headers["x-amz-log-result"] = tail(result.log)
        if result.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return result.payload

    def publish(deliver: Any) -> Any:
        def publish_or_invoke(self: Subscription, message: str, message_id: str, **rest: Any) -> None:
            if self.protocol != "lambda":
                deliver(self, message, message_id, **rest)
            elif _matches(self, message, rest.get("message_attributes")):
                _deliver(functions, self, _sns_event(self, message, message_id, **rest))

        return publish_or_invoke

    replacements.add(LambdaFunction, "invoke", invoke)
    replacements.wrap(Subscription, "publish", publish)
    replacements.wrap(LambdaFunction, "update_configuration", _with_counter)
    replacements.wrap(LambdaFunction, "update_function_code", _with_counter)


def _with_counter(update: Any) -> Any:
    def count_and_update(self: LambdaFunction, spec: dict[str, Any]) -> Any:
        self.__dict__["updates"] = self.__dict__.get("updates", 0) + 1
        return update(self, spec)

    return count_and_update


def _matches(subscription: Subscription, message: str, attributes: Any) -> bool:
    matcher = subscription._filter_policy_matcher
    return matcher is None or matcher.matches(attributes, message)


def _deliver(functions: Functions, subscription: Subscription, event: Any) -> None:
    """Invoke the function, unless it does not exist or its policy does not allow SNS."""
    arn = subscription.endpoint
    functions_of_account = get_backend(arn.split(":")[4], arn.split(":")[3])
    if any(function.function_arn == arn for function in functions_of_account.list_functions()):
        function = functions_of_account.get_function(arn)
        if may_invoke("sns.amazonaws.com", function, subscription.topic.arn):
            functions.invoke_later(function, event)


def may_invoke(service: str, function: LambdaFunction, source: str) -> bool:
    """Tell whether a function's own policy lets a service invoke it on behalf of a source's ARN."""
    policy = {"Statement": function.policy.statements}
    return is_allowed_for_service(policy, service, "lambda:InvokeFunction", function.function_arn, source)


def _sns_event(
    subscription: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: Any = None,
    **_rest: Any,
) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
    attributes = {
        name: {"Type": attribute["Type"], "Value": attribute["Value"]}
        for name, attribute in (message_attributes or {}).items()
    }
    host = f"https://sns.{subscription.topic.arn.split(':')[3]}.amazonaws.com/"
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": utcnow().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "1",
        "Signature": "",
        "SigningCertUrl": f"{host}SimpleNotificationService.pem",
        "UnsubscribeUrl": f"{host}?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
        "MessageAttributes": attributes,
    }
    record = {
        "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn, "Sns": notification,
    }  # fmt: skip
    return {"Records": [record]}
