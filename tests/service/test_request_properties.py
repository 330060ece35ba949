"""Properties, over HTTP: no body, header or query makes the API fail."""

import json
import string
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.stack import Api

over_http = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
tokens = st.sampled_from(["tok_visa", "pm_card_visa", "ctoken_visa", "tok_chargeDeclined", "tok_x", "src_1"])
fields = st.dictionaries(
    st.sampled_from(["storage", "payment_method", "confirmation_token", "source", "amount"]) | st.text(max_size=8),
    json_values | tokens | st.integers(1, 999_999) | st.integers(1, 999_999).map(str),
    max_size=5,
)


@over_http
@given(fields)
def test_no_json_object_gives_a_5xx(api: Api, body):
    assert api.post(body).status_code in {200, 400, 402}


@over_http
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_give_a_5xx(api: Api, body):
    assert api.post(body).status_code in {200, 400}


@over_http
@given(st.text(string.printable, max_size=30).map(lambda text: " ".join(text.split())))
def test_no_idempotency_key_gives_a_5xx(api: Api, key):
    assert api.post({"storage": 1, "source": "tok_visa"}, Idempotency_Key=key).status_code in {200, 400, 409}


@over_http
@given(st.text(max_size=30))
def test_no_query_gives_a_5xx(api: Api, text):
    assert api.get(f"/billing/quote?storage={quote(text, safe='', errors='replace')}").status_code in {200, 400}


@over_http
@given(st.integers(1, 999_999), st.booleans())
def test_every_number_of_notes_costs_its_tiers_rate(api: Api, storage, as_string):
    rate = 400 if storage <= 10 else 200 if storage <= 100 else 100
    charged = api.post({"source": "tok_visa", "storage": str(storage) if as_string else storage})
    assert (charged.status_code, charged.json()["amount"]) == (200, storage * rate)
