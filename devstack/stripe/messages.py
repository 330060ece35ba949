"""What comes in and goes out over HTTP, and what is remembered of it."""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devstack.stripe import errors, forms, keys

_FORM = "application/x-www-form-urlencoded"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?(;.*)?")


@dataclass(frozen=True)
class Request:
    """A call as it came. The names of ``headers`` are in lower case."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def key(self) -> str | None:
        """The API key it presents, good or not."""
        return keys.presented(self.headers.get("authorization"))

    @property
    def idempotency_key(self) -> str | None:
        """The key that makes it one execution however often it comes; only a POST has one."""
        return (self.headers.get("idempotency-key") or None) if self.method == "POST" else None

    @functools.cached_property
    def params(self) -> dict[str, Any]:
        """The parameters, nested; values are strings.

        :raises StripeError: 400, the body is no form.
        """
        if self.body and self.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise errors.invalid_request(
                f"Invalid request (check that your POST content type is {_FORM}). If you have any questions, we can "
                "help at https://support.stripe.com/."
            )
        return forms.decode("&".join(part for part in (self.query, self.body.decode(errors="replace")) if part))

    def check_version(self) -> None:
        """Check the API version it asks for.

        :raises StripeError: 400, it does not look like one.
        """
        version = self.headers.get("stripe-version")
        if version is not None and not _VERSION.fullmatch(version):
            raise errors.invalid_request(f"Invalid Stripe API version: {version}")


@dataclass(frozen=True)
class Answer:
    """What goes out."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestRecord:
    """What is remembered of an API call.

    ``params`` are as sent: nested, with strings for values. ``key_last4`` is of the key presented, good or not;
    ``livemode`` is None if it was not good. ``connection`` counts accepted connections from 1. ``status`` is None if
    the connection was cut off instead.
    """

    method: str
    path: str
    params: Mapping[str, Any]
    idempotency_key: str | None
    key_last4: str | None
    livemode: bool | None
    connection: int
    status: int | None
    stripe_version: str | None


def encoded(value: object) -> bytes:
    """Encode an object of the API as Stripe does: indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
