"""The judge of every response of the tests: it rejects what openapi.yaml does not describe."""

import contextlib
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


ALWAYS = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
ALWAYS |= {name: str(HEADERS[name]["schema"].get("const", "*")) for name in CORS_HEADERS}
RATE_LIMITED = ALWAYS | {"Retry-After": "2", "Idempotency-Key": "k"}


@pytest.mark.parametrize(
    ("changes", "headers", "is_described"),
    [
        ({}, {}, True),
        ({"debug": 1}, {}, False),
        ({"status": 503}, {}, False),
        ({"code": "too_many"}, {}, False),
        ({}, {"X-Debug": "1"}, False),
        ({}, {"Retry-After": "0"}, False),
        ({}, {"Retry-After": None}, False),
        ({}, {"Cache-Control": "public"}, False),
        ({}, {"Content-Type": "text/html"}, False),
    ],
)
def test_only_a_described_response_passes(changes, headers, is_described):
    sent = {name: value for name, value in (RATE_LIMITED | headers).items() if value}
    response = Sent(429, sent, json.dumps(example("POST /billing", 429, "rate_limited") | changes))
    with contextlib.nullcontext() if is_described else pytest.raises(AssertionError):
        check("POST", "http://localhost/billing", response)
    with pytest.raises(AssertionError):
        check("POST", "/billing", response._replace(status_code=418))
