"""Parses the requests of POST /billing and GET /billing/quote. A Problem names every bad field."""

import json
import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, NoReturn

from chalicelib.problems import Problem, invalid_request

MAX_BODY_BYTES = 16 * 1024

# The fields that name a payment source, and how Stripe's tokens of each kind begin and continue.
PAYMENT_FIELDS = {"payment_method": "pm_", "confirmation_token": "ctoken_", "source": "tok_"}
AFTER_PREFIX = "[A-Za-z0-9_]{1,250}"
IDEMPOTENCY_KEY = "[!-~]{1,255}"
MAX_STORAGE = 999_999
STORAGE_TEXT = "[1-9][0-9]{0,5}"  # the same numbers as HTML forms post them

_STORAGE_RULE = f"must be a whole number from 1 to {MAX_STORAGE}"


class PurchaseRequest(NamedTuple):
    """What a caller asks to be charged for.

    ``storage``: notes to store. ``payment_field``: the field that names the payment source; ``token``: its value.
    ``idempotency_key``: the caller's, or a new one if the caller sent none.
    """

    storage: int
    payment_field: str
    token: str
    idempotency_key: str


def parse_purchase(body: bytes, headers: Mapping[str, str], repeated: Collection[str] = ()) -> PurchaseRequest:
    """Parse the request of ``POST /billing``.

    :param headers: the request's headers, looked up by names in lower case.
    :param repeated: names, in lower case, of headers that were sent more than once.
    :raises Problem: ``body_too_large``, or ``invalid_request`` with every bad field.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Problem("body_too_large", f"The body has {len(body)} bytes; the limit is {MAX_BODY_BYTES}.")
    fields = _parse_object(body)
    errors: list[tuple[str, str]] = []
    storage = _parse_storage(fields.get("storage"))
    if storage is None:
        errors.append(("storage", _STORAGE_RULE))
    payment_fields = [name for name in PAYMENT_FIELDS if name in fields]
    if not payment_fields:
        errors.append(("payment_method", "or confirmation_token or source is required"))
    if len(payment_fields) > 1:
        errors += [(name, "is one of several payment sources: send exactly one") for name in payment_fields]
    for name in payment_fields:
        if not _is_token(fields[name], PAYMENT_FIELDS[name]):
            errors.append((name, f"must be a string that begins with {PAYMENT_FIELDS[name]}, as Stripe.js returns it"))
    unknown = [name for name in fields if name != "storage" and name not in PAYMENT_FIELDS]
    errors += [(name[:64], "is not a field of this request") for name in unknown[:10]]
    key = headers.get("idempotency-key")
    if "idempotency-key" in repeated:
        errors.append(("Idempotency-Key", "must be sent only once"))
    elif key is not None and not re.fullmatch(IDEMPOTENCY_KEY, key):
        errors.append(("Idempotency-Key", "must be 1 to 255 visible ASCII characters"))
    if errors or storage is None:
        raise invalid_request(*errors)
    field = payment_fields[0]
    return PurchaseRequest(storage, field, fields[field], key or str(uuid.uuid4()))


def parse_quote_storage(values: list[str]) -> int:
    """Parse the parameter ``storage`` of ``GET /billing/quote``.

    :param values: every value of the parameter in the query.
    :return: notes to store.
    :raises Problem: ``invalid_request``.
    """
    storage = _parse_storage(values[0]) if len(values) == 1 else None
    if storage is None:
        raise invalid_request(("storage", _STORAGE_RULE))
    return storage


def identify_caller(identity: Mapping[str, Any] | None, *, on_chalice_cli: bool) -> str:
    """Return the caller's Cognito identity id, or the ARN of the IAM user or role session.

    :param identity: ``requestContext.identity`` of the event, which API Gateway sets after it verified the signature
        (API Gateway's reference of ``$context`` variables).
    :param on_chalice_cli: ``chalice local`` verifies no signature, and every caller is ``local``.
    :raises Problem: ``caller_unknown``: the route was deployed without its authorizer.
    """
    identity = identity or {}
    caller = identity.get("cognitoIdentityId") or identity.get("userArn")
    if caller:
        return str(caller)
    if on_chalice_cli:
        return "local"
    raise Problem("caller_unknown", "Sign the request with AWS Signature Version 4.", cause="no identity in the event")


def body_not_json() -> Problem:
    """Return the problem of a body that cannot be read at all."""
    return invalid_request(("body", "must be JSON in UTF-8"))


def _parse_storage(value: object) -> int | None:
    """Return the number of notes, or None if it is invalid. HTML forms post numbers as strings."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 1 <= value <= MAX_STORAGE else None
    if isinstance(value, str) and re.fullmatch(STORAGE_TEXT, value):
        return int(value)
    return None


def _is_token(value: object, prefix: str) -> bool:
    return isinstance(value, str) and re.fullmatch(prefix + AFTER_PREFIX, value) is not None


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body.decode("utf-8"), object_pairs_hook=_reject_duplicates, parse_constant=_reject_constant)
    except RecursionError:
        fields = None
    except ValueError as error:  # also UnicodeDecodeError
        raise body_not_json() from error
    if not isinstance(fields, dict):
        raise invalid_request(("body", 'must be a JSON object such as {"storage": 10, "source": "tok_visa"}'))
    return fields


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject an object with a duplicate field: which of the values counts must not be a guess where money moves."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a duplicate field")
    return fields


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
