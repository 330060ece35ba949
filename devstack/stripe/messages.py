"""HTTP requests and responses, and the record of each API call."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import Authorization

from devstack.stripe import errors, forms

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """An HTTP request. The names of ``headers`` are in lower case."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def key(self) -> str | None:
        """The API key in the request, valid or not: Bearer or Basic (``curl -u`` sends it as the user name)."""
        header = self.headers.get("authorization", "")
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "bearer":
            return credentials.strip() or None
        authorization = Authorization.from_header(header)
        return (authorization.username or None) if authorization and authorization.type == "basic" else None

    @property
    def idempotency_key(self) -> str | None:
        """The idempotency key; only a POST has one."""
        return (self.headers.get("idempotency-key") or None) if self.method == "POST" else None

    @functools.cached_property
    def params(self) -> dict[str, Any]:
        """The nested parameters, with strings for values; StripeError 400 if the body is not a form."""
        if self.body and self.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise errors.invalid_request(
                f"Invalid request (check that your POST content type is {_FORM}). If you have any questions, we can "
                "help at https://support.stripe.com/."
            )
        return forms.decode("&".join(part for part in (self.query, self.body.decode(errors="replace")) if part))


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestRecord:
    """The record of an API call.

    ``key_last4`` are the last four characters of the key in the request, valid or not. ``status`` is None if the
    connection was cut.
    """

    method: str
    path: str
    idempotency_key: str | None
    key_last4: str | None
    status: int | None


def encode(value: object) -> bytes:
    """Encode an object of the API as Stripe does: indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
