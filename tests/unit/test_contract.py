"""The judge of every response of the tests: it rejects what openapi.yaml does not describe."""

import json
from typing import Any, NamedTuple

import pytest

from tests.support.contract import CORS_HEADERS, HEADERS, check, example


class Sent(NamedTuple):
    status_code: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def sent(status: int, name: str, changes: dict[str, object], headers: dict[str, str]) -> Sent:
    media_type = "application/json" if status == 200 else "application/problem+json"
    always = {"Content-Type": media_type, "Cache-Control": "no-store"}
    for header in CORS_HEADERS:
        schema = HEADERS[header]["schema"]
        always[header] = str(schema.get("const", "*"))
    body = example("POST /billing", status, name) | changes
    return Sent(status, {k: v for k, v in (always | headers).items() if v}, json.dumps(body))


@pytest.mark.parametrize(
    ("status", "changes", "headers", "is_described"),
    [
        (200, {}, {}, True),
        (200, {"debug": 1}, {}, False),
        (200, {"amount": "4200"}, {}, False),
        (200, {"status": "failed"}, {}, False),
        (200, {}, {"X-Debug": "1"}, False),
        (200, {}, {"Cache-Control": ""}, False),
        (200, {}, {"Cache-Control": "public"}, False),
        (200, {}, {"Content-Type": "text/html"}, False),
        (429, {}, {"Retry-After": "2", "Idempotency-Key": "k"}, True),
        (429, {}, {"Retry-After": "0", "Idempotency-Key": "k"}, False),
        (429, {}, {"Idempotency-Key": "k"}, False),
        (429, {"status": 503}, {"Retry-After": "2", "Idempotency-Key": "k"}, False),
        (429, {"code": "too_many"}, {"Retry-After": "2", "Idempotency-Key": "k"}, False),
    ],
)
def test_only_a_described_response_passes(status, changes, headers, is_described):
    response = sent(status, "succeeded" if status == 200 else "rate_limited", changes, headers)
    if is_described:
        check("POST", "http://localhost/billing", response)
    else:
        with pytest.raises(AssertionError):
            check("POST", "http://localhost/billing", response)
    with pytest.raises(AssertionError):
        check("POST", "/billing", response._replace(status_code=418))
