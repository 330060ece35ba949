"""Request bodies, headers and parameters -> typed values, or a Problem that says what to mend."""

import json
import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from chalicelib.problems import Problem, invalid_request

MAX_BODY_BYTES = 16 * 1024

# How a payment is named, by field of the body: what Stripe's tokens of each kind begin with, and go on with.
PAYMENT_FIELDS = {"payment_method": "pm_", "confirmation_token": "ctoken_", "source": "tok_"}
AFTER_PREFIX = "[A-Za-z0-9_]{1,250}"
IDEMPOTENCY_KEY = "[!-~]{1,255}"
MAX_STORAGE = 999_999
STORAGE_TEXT = "[1-9][0-9]{0,5}"  # the same numbers as HTML forms post them


@dataclass(frozen=True)
class PurchaseRequest:
    """What a caller asks to be charged for.

    ``storage``: notes to store. ``paid_by``: the field that names what pays; ``token``: its value.
    ``idempotency_key``: the caller's, or a new one where the caller sent none.
    """

    storage: int
    paid_by: str
    token: str
    idempotency_key: str


def parse_purchase(body: bytes, headers: Mapping[str, str], repeated: Collection[str] = ()) -> PurchaseRequest:
    """Read the request of ``POST /billing``.

    :param body: the raw body.
    :param headers: the request's headers, whose names are looked up in lower case.
    :param repeated: names, in lower case, of headers that are there more than once.
    :raises Problem: ``body_too_large``, or ``invalid_request`` with every bad field.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Problem("body_too_large", f"The body has {len(body)} bytes; at most {MAX_BODY_BYTES} are read.")
    fields = _json_object(body)
    errors: list[tuple[str, str]] = []
    number = _storage(fields.get("storage"))
    if number is None:
        errors.append(("storage", _STORAGE_RULE))
    paid_by = [name for name in PAYMENT_FIELDS if name in fields]
    if len(paid_by) != 1:
        errors += [(name, "is one of several that say what pays: give exactly one") for name in paid_by]
        errors += [] if paid_by else [("payment_method", "or confirmation_token or source must say what pays")]
    for name in paid_by:
        if not _is_token(fields[name], PAYMENT_FIELDS[name]):
            errors.append((name, f"must be a string that begins with {PAYMENT_FIELDS[name]}, as Stripe.js gives it"))
    unknown = [name for name in fields if name != "storage" and name not in PAYMENT_FIELDS]
    errors += [(name[:64], "is not a field of this request") for name in unknown[:10]]
    key = headers.get("idempotency-key")
    if "idempotency-key" in repeated:
        errors.append(("Idempotency-Key", "must be there once: which one counts must not be a guess"))
    elif key is not None and not re.fullmatch(IDEMPOTENCY_KEY, key):
        errors.append(("Idempotency-Key", "must be 1 to 255 visible ASCII characters"))
    if errors or number is None:
        raise invalid_request(*errors)
    return PurchaseRequest(number, paid_by[0], fields[paid_by[0]], key or str(uuid.uuid4()))


def body_not_json() -> Problem:
    """Return the problem of a body that can't be read at all."""
    return invalid_request(("body", "must be JSON in UTF-8"))


def parse_quote_storage(values: list[str]) -> int:
    """Read the parameter ``storage`` of ``GET /billing/quote``.

    :param values: every value it was given.
    :return: notes to store.
    :raises Problem: ``invalid_request``.
    """
    number = _storage(values[0]) if len(values) == 1 else None
    if number is None:
        raise invalid_request(("storage", _STORAGE_RULE))
    return number


def identify_caller(identity: Mapping[str, Any] | None, *, on_chalice_cli: bool) -> str:
    """Return who calls: the Cognito identity id, or the ARN of the IAM user or role session.

    :param identity: ``requestContext.identity`` of the event, which API Gateway fills in after it verified the
        signature (API Gateway's reference of ``$context`` variables).
    :param on_chalice_cli: under ``chalice local`` nobody signs, and every caller is ``local``.
    :raises Problem: ``caller_unknown``: the route was deployed without its authorizer.
    """
    identity = identity or {}
    found = identity.get("cognitoIdentityId") or identity.get("userArn")
    if found:
        return str(found)
    if on_chalice_cli:
        return "local"
    raise Problem("caller_unknown", "Sign the request with AWS Signature Version 4.", cause="no identity in the event")


_STORAGE_RULE = f"must be a whole number from 1 to {MAX_STORAGE}"


def _storage(value: object) -> int | None:
    """Return the number of notes, or None: an integer, or its decimal string, since HTML forms post strings."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 1 <= value <= MAX_STORAGE else None
    if isinstance(value, str) and re.fullmatch(STORAGE_TEXT, value):
        return int(value)
    return None


def _is_token(value: object, prefix: str) -> bool:
    return isinstance(value, str) and re.fullmatch(prefix + AFTER_PREFIX, value) is not None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError:
        fields = None
    except ValueError as error:  # also UnicodeDecodeError
        raise body_not_json() from error
    if not isinstance(fields, dict):
        raise invalid_request(("body", 'must be a JSON object such as {"storage": 10, "source": "tok_visa"}'))
    return fields


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that has a field twice: which one counts must not be a guess where money moves."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is there twice")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
