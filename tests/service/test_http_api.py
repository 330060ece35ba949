"""What HTTP, Chalice and Stripe add to the rules of the requests: tests/unit/test_purchase_request.py has those.

Every response that openapi.yaml describes: tests/service/test_openapi.py.
"""

import pytest

from tests.support.stack import PURCHASE, TEST_PARAMETER, Api, Stack, is_problem


def test_only_a_purchase_reads_the_key_and_calls_stripe(fresh_api: Api, stack: Stack):
    body = fresh_api.get("/health").json()
    assert (body["status"], body["stage"]) == ("ok", "dev")
    assert body["version"].count(".") == 2
    assert fresh_api.get("/billing/quote?storage=21").json()["amount"] == 4200
    assert (stack.reads(), stack.stripe.requests) == (0, [])
    for key in ("!~/?#\"'<>", "x" * 255):
        response = fresh_api.post(PURCHASE, Content_Type="application/json; charset=utf-8", Idempotency_Key=key)
        assert response.status_code == 200
    assert stack.reads() == 1
    version = stack.aws.client("ssm").get_parameter(Name=TEST_PARAMETER)["Parameter"]["Version"]
    assert f'"key_version": {version}' in fresh_api.output()


@pytest.mark.parametrize("query", ["", "?storage=", "?storage=1&storage=2", "?storage=%EF%BC%91", "?notes=1"])
def test_a_quote_has_one_parameter(api: Api, query: str):
    response = api.get(f"/billing/quote{query}")
    assert is_problem(response, 400, "invalid_request")
    assert [error["field"] for error in response.json()["errors"]] == ["storage"]


def test_a_rejected_purchase_does_not_reach_stripe(api: Api, stack: Stack):
    for body in ({}, b"{", b"\xff", {**PURCHASE, "amount": 1}):
        assert is_problem(api.post(body), 400, "invalid_request")
    for key in ("", "a b", "x" * 256, "é".encode("latin-1")):
        assert is_problem(api.post(PURCHASE, Idempotency_Key=key), 400, "invalid_request")
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        assert is_problem(api.post(PURCHASE, Content_Type=media_type), 415, "unsupported_media_type")
    assert stack.stripe.requests == []


@pytest.mark.parametrize("path", ["/", "/nothing", "/billing/quote/more", "/a/b/c/d", "/health/deep", "/%00"])
def test_an_unknown_url_is_a_problem_for_every_method(api: Api, path: str):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert is_problem(api.request(method, path), 404, "not_found")
