"""The purchase that every rival makes, and the upstreams' responses to it."""

import json
from functools import lru_cache
from typing import Any

import stripe

from devstack.stripe.server import StripeServer

PARAMETER = "/stripeSecretKey/test"
_STORAGE, _CENTS = 21, 4200


def event(idempotency_key: str = "6b8d6f2e-7f2f-4d35-9d55-2f4d0f7b9d11") -> dict[str, Any]:
    """Build API Gateway's event of a signed `POST /billing`.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    headers = {
        "Accept": "application/json",
        "Authorization": "AWS4-HMAC-SHA256 Credential=ASIA0000000000000000/20261101/us-east-1/execute-api/aws4_request",
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
        "Idempotency-Key": idempotency_key,
        "Origin": "https://notes.example.com",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "X-Amz-Date": "20261101T120000Z",
        "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": "/billing",
        "path": "/billing",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "httpMethod": "POST",
            "identity": {"cognitoIdentityId": "us-east-1:00000000-0000-0000-0000-000000000000", "userArn": None},
            "path": "/api/billing",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "resourcePath": "/billing",
            "stage": "api",
        },
        "body": json.dumps({"storage": _STORAGE, "source": "tok_visa"}),
        "isBase64Encoded": False,
    }


def is_paid(response: dict[str, Any]) -> bool:
    """Return whether API Gateway's proxy response confirms the payment."""
    if response.get("statusCode") != 200:
        return False
    payment = json.loads(response["body"])
    return (payment["status"], payment["amount"], payment["storage"]) == ("succeeded", _CENTS, _STORAGE)


@lru_cache
def upstream_bodies() -> tuple[str, str]:
    """Return the bodies of Parameter Store's and Stripe's responses, as the devstack sends them."""
    with StripeServer() as server:
        key = server.keys.issue("test")
        payment = stripe.StripeClient(key, base_addresses={"api": server.url}).v1.payment_intents.create(
            {
                "amount": _CENTS,
                "currency": "usd",
                "confirm": True,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "payment_method_data": {"type": "card", "card": {"token": "tok_visa"}},  # type: ignore[typeddict-unknown-key]
                "description": "Scratch charge",
                "metadata": {"storage": str(_STORAGE), "stage": "dev"},
            }
        )
    parameter = {
        "Name": PARAMETER,
        "Type": "SecureString",
        "Value": key,
        "Version": 1,
        "LastModifiedDate": 1788220800.0,
        "ARN": f"arn:aws:ssm:us-east-1:123456789012:parameter{PARAMETER}",
        "DataType": "text",
    }
    assert payment.last_response
    return json.dumps({"Parameter": parameter}), payment.last_response.body
