"""The contract of docs/http-api.md, over HTTP, against `chalice local`."""

import json
import uuid

import pytest

from tests.support.stack import PURCHASE, Api, Stack, is_problem


@pytest.mark.parametrize(
    ("paid_by", "token"),
    [("source", "tok_visa"), ("payment_method", "pm_card_visa"), ("confirmation_token", "ctoken_visa")],
)
def test_a_purchase_is_charged_with_every_kind_of_payment_source(api: Api, stack: Stack, paid_by, token):
    response = api.post({paid_by: token, "storage": 21})
    body = response.json()
    assert response.status_code == 200, response.text
    assert set(body) == {"id", "status", "amount", "currency", "storage", "created"}
    assert (body["status"], body["amount"], body["currency"], body["storage"]) == ("succeeded", 4200, "usd", 21)
    intent = next(intent for intent in stack.stripe.payment_intents if intent["id"] == body["id"])
    assert (intent["amount_received"], intent["created"]) == (4200, body["created"])
    assert intent["metadata"] == {"storage": "21", "stage": "dev", "caller": "local"}


@pytest.mark.parametrize(
    ("storage", "amount"),
    [(1, 400), ("10", 4000), (10, 4000), (11, 2200), (100, 20000), (101, 10100), (999999, 99999900)],
)
def test_the_tiers_rate_applies_to_every_note(api: Api, storage, amount):
    quote = api.get(f"/billing/quote?storage={storage}")
    assert quote.json() == {"storage": int(storage), "amount": amount, "currency": "usd"}
    charged = api.post({"source": "tok_visa", "storage": storage})
    assert (charged.status_code, charged.json()["amount"]) == (200, amount)


def test_a_quote_charges_nothing(api: Api, stack: Stack):
    api.get("/billing/quote?storage=21")
    assert stack.stripe.requests == []


@pytest.mark.parametrize("query", ["", "?storage=", "?storage=0", "?storage=1&storage=2", "?storage=x", "?notes=1"])
def test_a_quote_without_a_number_of_notes_is_rejected(api: Api, query):
    response = api.get(f"/billing/quote{query}")
    assert is_problem(response, 400, "invalid_request")
    assert [error["field"] for error in response.json()["errors"]] == ["storage"]


def test_health_returns_stage_and_version_and_calls_nothing(fresh_api: Api, stack: Stack):
    body = fresh_api.get("/health").json()
    assert (body["status"], body["stage"]) == ("ok", "dev")
    assert body["version"].count(".") == 2
    assert stack.reads() == 0
    assert stack.stripe.requests == []


BAD_FIELDS = [
    ({"source": "tok_visa"}, ["storage"]),
    *(
        ({"source": "tok_visa", "storage": storage}, ["storage"])
        for storage in (
            0,
            -1,
            1_000_000,
            1.0,
            21.5,
            True,
            None,
            [],
            {},
            "",
            "0",
            "010",
            "+1",
            " 1",
            "1e3",
            "1_0",
            "\uff11",
            "x" * 99,
        )
    ),
    ({"storage": 1}, ["payment_method"]),
    ({"storage": 1, "source": "pm_card_visa"}, ["source"]),
    ({"storage": 1, "source": "tok_"}, ["source"]),
    ({"storage": 1, "source": "tok_visa/../../refunds"}, ["source"]),
    ({"storage": 1, "source": "tok_" + "a" * 251}, ["source"]),
    ({"storage": 1, "source": ["tok_visa"]}, ["source"]),
    ({"storage": 1, "payment_method": "pm_\ud800"}, ["payment_method"]),
    ({"storage": 1, "source": "tok_visa", "payment_method": "pm_card_visa"}, ["payment_method", "source"]),
    ({"storage": 1, "source": "tok_visa", "amount": 1}, ["amount"]),
    ({"storage": 0, "source": "x", "currency": "eur"}, ["storage", "source", "currency"]),
    ([], ["body"]),
    ("tok_visa", ["body"]),
    (None, ["body"]),
]


@pytest.mark.parametrize(("body", "fields"), BAD_FIELDS)
def test_bad_fields_are_all_named_and_nothing_is_charged(api: Api, stack: Stack, body, fields):
    response = api.post(body)
    assert is_problem(response, 400, "invalid_request")
    assert [error["field"] for error in response.json()["errors"]] == fields
    assert all(error["detail"] for error in response.json()["errors"])
    assert stack.stripe.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"storage=21&source=tok_visa",
        b'{"storage": 1, "source": "tok_visa", "storage": 999}',
        b'{"storage": NaN, "source": "tok_visa"}',
        b"[" * 10_000,
        b'{"a":' * 3_000,
        b'{"storage": ' + b"9" * 5_000 + b"}",
        b"\xff\xfe{\x00}\x00",
        '{"storage": 1, "source": "tok_visa"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"storage": 1, "source": "tok_visa"}',
    ],
)
def test_a_body_that_is_not_json_in_utf8_is_rejected(api: Api, stack: Stack, body):
    assert is_problem(api.post(body), 400, "invalid_request")
    assert stack.stripe.requests == []


def test_a_body_of_16_kib_is_read_and_one_byte_more_is_not(api: Api):
    body = json.dumps(PURCHASE).encode()
    assert api.post(body + b" " * (16 * 1024 - len(body))).status_code == 200
    assert is_problem(api.post(body + b" " * (16 * 1024 - len(body) + 1)), 413, "body_too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_another_media_type_is_rejected(api: Api, stack: Stack, content_type):
    assert is_problem(api.post(PURCHASE, Content_Type=content_type), 415, "unsupported_media_type")
    assert stack.stripe.requests == []


def test_json_with_a_charset_is_accepted(api: Api):
    assert api.post(PURCHASE, Content_Type="application/json; charset=utf-8").status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "tab\there"])
def test_an_invalid_idempotency_key_is_rejected(api: Api, stack: Stack, key):
    response = api.post(PURCHASE, Idempotency_Key=key.encode("latin-1"))
    assert is_problem(response, 400, "invalid_request")
    assert [error["field"] for error in response.json()["errors"]] == ["Idempotency-Key"]
    assert stack.stripe.requests == []


@pytest.mark.parametrize("key", ["x", "x" * 255, "!~/?#\"'<>"])
def test_visible_ascii_is_an_idempotency_key(api: Api, key):
    # The body of test_request_properties, which may have used the same key.
    assert api.post({"storage": 1, "source": "tok_visa"}, Idempotency_Key=key).status_code == 200


CARDS = [
    ("tok_chargeDeclined", "card_declined", "generic_decline"),
    ("tok_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("tok_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("tok_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("tok_chargeDeclinedExpiredCard", "expired_card", None),
    ("tok_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("tok_chargeDeclinedProcessingError", "processing_error", None),
]


@pytest.mark.parametrize(("token", "code", "decline_code"), CARDS)
def test_a_declined_card_returns_stripes_code_and_message(api: Api, token, code, decline_code):
    response = api.post({"source": token, "storage": 1})
    assert is_problem(response, 402, code)
    body = response.json()
    assert body.get("decline_code") == decline_code
    assert body["payment_id"].startswith("pi_")
    assert "card" in body["detail"]


def test_a_card_that_needs_authentication_returns_the_client_secret(api: Api):
    body = api.post({"payment_method": "pm_card_authenticationRequired", "storage": 1}).json()
    assert body["status"] == "requires_action"
    assert body["client_secret"].startswith(body["id"] + "_secret_")


@pytest.mark.parametrize(
    "body",
    [
        {"source": "tok_nobodyKnows", "storage": 1},
        {"payment_method": "pm_nobodyKnows", "storage": 1},
        {"confirmation_token": "ctoken_nobodyKnows", "storage": 1},
    ],
)
def test_an_unknown_token_is_an_invalid_request(api: Api, body):
    response = api.post(body)
    assert is_problem(response, 400, "invalid_request")
    assert [error["field"] for error in response.json()["errors"]] == [next(iter(body))]
    assert "No such" not in response.text  # Stripe's own words are passed on for card errors alone


@pytest.mark.parametrize("path", ["/", "/nothing", "/billing/quote/more", "/a/b/c", "/a/b/c/d", "/health/deep", "/%00"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_an_unknown_url_is_a_problem(api: Api, method, path):
    assert is_problem(api.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/billing", "POST"),
        ("DELETE", "/billing", "POST"),
        ("POST", "/health", "GET"),
        ("PUT", "/billing/quote", "GET"),
    ],
)
def test_an_unsupported_method_returns_the_allowed_ones(api: Api, method, path, allow):
    response = api.request(method, path)
    assert is_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == allow


@pytest.mark.parametrize("path", ["/billing", "/billing/quote", "/health"])
def test_a_browser_may_call_from_another_origin(api: Api, path):
    response = api.request(
        "OPTIONS",
        path,
        headers={
            "Origin": "https://notes.example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,idempotency-key,authorization,x-amz-date",
        },
    )
    assert response.status_code == 200
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert {"content-type", "idempotency-key", "authorization", "x-amz-date", "x-amz-security-token"} <= set(allowed)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert ("POST" if path == "/billing" else "GET") in response.headers["Access-Control-Allow-Methods"]


def test_every_response_has_cors_headers_and_is_not_cached(api: Api):
    responses = [
        api.post(PURCHASE),
        api.post({}),
        api.post(PURCHASE, Content_Type="text/plain"),
        api.get("/billing"),
        api.get("/nothing"),
        api.get("/health"),
    ]
    assert {response.status_code for response in responses} == {200, 400, 404, 405, 415}
    for response in responses:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Idempotency-Key" in response.headers["Access-Control-Expose-Headers"]
        assert response.headers["Cache-Control"] == "no-store"


def test_a_request_without_an_idempotency_key_is_a_new_payment(api: Api):
    assert api.post(PURCHASE).json()["id"] != api.post(PURCHASE).json()["id"]


def test_stripe_receives_the_pinned_version_and_an_idempotency_key_each_time(api: Api, stack: Stack):
    from chalicelib.stripe_client.api import API_VERSION

    api.post(PURCHASE)
    api.post(PURCHASE, Idempotency_Key=str(uuid.uuid4()))
    assert {request.stripe_version for request in stack.stripe.requests} == {API_VERSION}
    keys = [request.idempotency_key for request in stack.stripe.requests]
    assert len(set(keys)) == 2
    assert all(keys)
