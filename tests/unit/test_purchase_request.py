"""The requests of the API: every rule of a purchase and of a quote, the price, and who the caller is."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.billing.pricing import calculate_amount
from chalicelib.billing.purchase_request import (
    MAX_BODY_BYTES,
    PurchaseRequest,
    identify_caller,
    parse_purchase,
    parse_quote_storage,
)
from chalicelib.problems import Problem

VALID = {"storage": 21, "source": "tok_visa"}


def parse(body: object, key: str | None = "k", repeated: tuple[str, ...] = ()) -> PurchaseRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_purchase(data, {} if key is None else {"idempotency-key": key}, repeated)


def rejected_fields(body: object, **arguments: Any) -> list[str]:
    with pytest.raises(Problem) as raised:
        parse(body, **arguments)
    assert raised.value.kind == "invalid_request"
    assert all(error["detail"] for error in raised.value.members["errors"])
    return [error["field"] for error in raised.value.members["errors"]]


@pytest.mark.parametrize(
    ("field", "token"), [("payment_method", "pm_1"), ("confirmation_token", "ctoken_1"), ("source", "tok_" + "a" * 250)]
)
@pytest.mark.parametrize(("storage", "notes"), [(1, 1), ("10", 10), (999_999, 999_999), ("999999", 999_999)])
def test_a_purchase_has_notes_and_one_source(field, token, storage, notes):
    assert parse({"storage": storage, field: token}) == PurchaseRequest(notes, field, token, "k")


INVALID_STORAGE = [0, -1, 1_000_000, 1.0, 21.5, True, None, [], {}]
INVALID_STORAGE += ["", "0", "010", "+1", " 1", "1e3", "1_0", "\uff11", "9" * 9]
BAD_FIELDS = [
    ({"source": "tok_visa"}, ["storage"]),
    *(({"source": "tok_visa", "storage": storage}, ["storage"]) for storage in INVALID_STORAGE),
    ({"storage": 1}, ["payment_method"]),
    ({"storage": 1, "source": "pm_card_visa"}, ["source"]),
    ({"storage": 1, "source": "tok_"}, ["source"]),
    ({"storage": 1, "source": "tok_visa/../../refunds"}, ["source"]),
    ({"storage": 1, "source": "tok_visa\n"}, ["source"]),
    ({"storage": 1, "source": "tok_" + "a" * 251}, ["source"]),
    ({"storage": 1, "source": ["tok_visa"]}, ["source"]),
    ({"storage": 1, "payment_method": "pm_\ud800"}, ["payment_method"]),
    ({"storage": 1, "source": "tok_visa", "payment_method": "pm_card_visa"}, ["payment_method", "source"]),
    ({"storage": 1, "source": "tok_visa", "amount": 1}, ["amount"]),
    ({"storage": 0, "source": "x", "currency": "eur"}, ["storage", "source", "currency"]),
    ({**VALID, "a" * 99: 1}, ["a" * 64]),
    ({**VALID, **{f"field{number}": 1 for number in range(30)}}, [f"field{number}" for number in range(10)]),
    ([], ["body"]),
    ("tok_visa", ["body"]),
    (None, ["body"]),
]


@pytest.mark.parametrize(("body", "fields"), BAD_FIELDS)
def test_every_bad_field_is_named(body, fields):
    assert rejected_fields(body) == fields


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
        json.dumps(VALID).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(VALID).encode(),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_not_json_in_utf8_is_rejected(body):
    assert rejected_fields(body) == ["body"]


def test_a_body_of_16_kib_is_read_and_one_byte_more_is_not():
    body = json.dumps(VALID).encode()
    assert MAX_BODY_BYTES == 16 * 1024
    assert parse(body.ljust(MAX_BODY_BYTES)).storage == 21
    with pytest.raises(Problem, match="body_too_large"):
        parse(body.ljust(MAX_BODY_BYTES + 1))


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "tab\there", "line\n"])
def test_an_invalid_or_repeated_idempotency_key_is_rejected(key):
    assert rejected_fields(VALID, key=key) == ["Idempotency-Key"]
    assert rejected_fields(VALID, key="valid", repeated=("idempotency-key",)) == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["x", "x" * 255, "!~/?#\"'<>"])
def test_visible_ascii_is_an_idempotency_key(key):
    assert parse(VALID, key=key, repeated=("accept",)).idempotency_key == key


def test_each_purchase_without_a_key_gets_one_of_its_own():
    assert len({parse(VALID, key=None).idempotency_key for _ in range(10)}) == 10


texts = st.sampled_from(
    ["", "storage", "source", "tok_visa", "1", "10", "1e3", "\0", "é", "\ud800", "\uff11", "a" * 99]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()), texts)
def test_no_body_and_no_key_is_an_error_of_the_service(body, key):
    with contextlib.suppress(Problem):
        assert 1 <= parse(body, key).storage <= 999_999


@pytest.mark.parametrize("values", [[], [""], ["0"], ["1", "2"], ["x"], ["1000000"]])
def test_a_quote_without_one_number_of_notes_is_rejected(values):
    with pytest.raises(Problem, match="invalid_request"):
        parse_quote_storage(values)
    assert parse_quote_storage(["21"]) == 21


@pytest.mark.parametrize(
    ("storage", "cents"), [(1, 400), (10, 4000), (11, 2200), (100, 20000), (101, 10100), (999_999, 99_999_900)]
)
def test_the_tiers_rate_applies_to_every_note(storage, cents):
    assert calculate_amount(storage) == cents


@pytest.mark.parametrize(
    ("identity", "caller"),
    [
        ({"cognitoIdentityId": "us-east-1:alice", "userArn": "arn:aws:sts::1:assumed-role/web/x"}, "us-east-1:alice"),
        ({"cognitoIdentityId": None, "userArn": "arn:aws:iam::1:user/alice"}, "arn:aws:iam::1:user/alice"),
    ],
)
def test_the_caller_is_who_signed_the_request(identity, caller):
    assert identify_caller(identity, on_chalice_cli=False) == identify_caller(identity, on_chalice_cli=True) == caller


@pytest.mark.parametrize("identity", [None, {}, {"sourceIp": "192.0.2.1", "cognitoIdentityId": None, "userArn": None}])
def test_a_request_that_nobody_signed_has_a_caller_only_on_the_developers_machine(identity):
    assert identify_caller(identity, on_chalice_cli=True) == "local"
    with pytest.raises(Problem, match="caller_unknown"):
        identify_caller(identity, on_chalice_cli=False)
