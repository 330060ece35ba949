"""How functions come to be invoked: by Invoke, and by SNS for a message on a topic."""

import json
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.core.utils import utcnow
from moto.sns.models import Subscription

from tests.cloud.functions import Functions, tail
from tests.cloud.policies import lets_service_in
from tests.cloud.replacements import Replacements


def connect(replacements: Replacements, functions: Functions) -> None:
    """Have moto run functions, until the replacements are undone."""

    def invoke(self: LambdaFunction, body: Any, request_headers: Any, response_headers: Any) -> bytes:
        kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
        event = json.loads(body) if body else {}
        if kind == "Event":
            functions.invoke_later(self, event)
        if kind != "RequestResponse":
            return b""
        answer = functions.invoke(self, event)
        response_headers["x-amz-executed-version"] = "$LATEST"
        response_headers["x-amz-log-result"] = tail(answer.log)
        if answer.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return answer.payload

    def publish(answer: Any) -> Any:
        def published(self: Subscription, message: str, message_id: str, **rest: Any) -> None:
            if self.protocol != "lambda":
                answer(self, message, message_id, **rest)
            elif _wanted(self, message, rest.get("message_attributes")):
                _deliver(functions, self, _sns_event(self, message, message_id, **rest))

        return published

    replacements.add(LambdaFunction, "invoke", invoke)
    replacements.wrap(Subscription, "publish", publish)
    replacements.wrap(LambdaFunction, "update_configuration", _counted)
    replacements.wrap(LambdaFunction, "update_function_code", _counted)


def _counted(update: Any) -> Any:
    def updated(self: LambdaFunction, spec: dict[str, Any]) -> Any:
        self.__dict__["updates"] = self.__dict__.get("updates", 0) + 1
        return update(self, spec)

    return updated


def _wanted(subscription: Subscription, message: str, attributes: Any) -> bool:
    matcher = subscription._filter_policy_matcher
    return matcher is None or matcher.matches(attributes, message)


def _deliver(functions: Functions, subscription: Subscription, event: Any) -> None:
    """SNS gives up on a function that is gone, or whose policy does not let it in."""
    arn = subscription.endpoint
    functions_of_account = get_backend(arn.split(":")[4], arn.split(":")[3])
    if any(function.function_arn == arn for function in functions_of_account.list_functions()):
        function = functions_of_account.get_function(arn)
        if may_invoke("sns.amazonaws.com", function, subscription.topic.arn):
            functions.invoke_later(function, event)


def may_invoke(service: str, function: LambdaFunction, source: str) -> bool:
    """Say whether a function's own policy lets a service invoke it, on behalf of a source's ARN."""
    policy = {"Statement": function.policy.statements}
    return lets_service_in(policy, service, "lambda:InvokeFunction", function.function_arn, source)


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
    told = {
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
        "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn, "Sns": told,
    }  # fmt: skip
    return {"Records": [record]}
