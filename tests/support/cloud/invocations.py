"""Invokes functions for Lambda's Invoke, and for a message that SNS delivers."""

import base64
import json
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.core.utils import utcnow
from moto.sns.models import Subscription

from tests.support import iam
from tests.support.cloud.functions import Functions, find_function
from tests.support.cloud.replacements import Replacements

_LOG_TAIL = 4096  # bytes, see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html


def connect(replacements: Replacements, functions: Functions) -> None:
    """Make moto run functions until the replacements are undone."""

    def invoke(self: LambdaFunction, body: Any, _request_headers: Any, response_headers: Any) -> bytes:
        result = functions.invoke(self, json.loads(body) if body else {})
        response_headers["x-amz-log-result"] = base64.b64encode(result.log.encode()[-_LOG_TAIL:]).decode()
        if result.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return result.payload

    def publish(deliver: Any) -> Any:
        def publish_or_invoke(self: Subscription, message: str, message_id: str, **rest: Any) -> None:
            if self.protocol != "lambda":
                deliver(self, message, message_id, **rest)
                return
            function = find_function(self.endpoint)
            if function and may_invoke("sns.amazonaws.com", function, self.topic.arn):
                functions.invoke_later(function, _sns_event(self, message, message_id, **rest))

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


def may_invoke(service: str, function: LambdaFunction, source: str) -> bool:
    """Tell whether a function's own policy lets a service invoke it on behalf of a source's ARN."""
    policy = {"Statement": function.policy.statements}
    return iam.is_allowed_for_service(policy, service, "lambda:InvokeFunction", function.function_arn, source)


def _sns_event(
    subscription: Subscription, message: str, message_id: str, message_attributes: Any = None, **_rest: Any
) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Subject": None,
        "Message": message,
        "Timestamp": utcnow().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "MessageAttributes": {
            name: {"Type": attribute["Type"], "Value": attribute["Value"]}
            for name, attribute in (message_attributes or {}).items()
        },
    }
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn}
    return {"Records": [{**record, "Sns": notification}]}
