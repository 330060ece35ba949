"""Sends stripe-python's requests through aws/http_client.py: verified, with a deadline, over kept connections.

stripe-python's own transports need `requests`, which reads netrc files, follows redirects, costs import time, and
cannot limit the time of a whole call.
"""

import logging
import math
import threading
from collections.abc import Mapping
from typing import Any

from chalicelib.aws.http_client import (
    CertificateError,
    ConnectError,
    HttpClient,
    HttpError,
    ReadTimeout,
    StaleConnectionError,
)
from chalicelib.stripe_client.sdk_without_asyncio import stripe

# stripe-python logs each call at INFO, with the last four characters of a rejected key.
logging.getLogger("stripe").setLevel(logging.WARNING)


class StripeTimeout(stripe.APIConnectionError):
    """Stripe received the call and did not respond completely in time. The outcome is not known."""


class StripeStaleConnectionError(stripe.APIConnectionError):
    """Stripe had closed the kept connection. The same call can be made again at once."""


class StripeTransport(stripe.HTTPClient):
    """Pass it as ``stripe.StripeClient(key, http_client=StripeTransport(...))``. Safe to use from many threads.

    It retries nothing: only the caller knows that an earlier call may have had its effect.
    """

    name = "notes-billing"

    def __init__(self, client: HttpClient) -> None:
        """:param client: the one that :func:`chalicelib.stripe_client.connection.stripe_connection` returns."""
        super().__init__()
        self._client = client
        self._limit = threading.local()

    def end_by(self, deadline: float) -> None:
        """Set when this thread's calls end (monotonic time), if that is before their own timeouts."""
        self._limit.deadline = deadline

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Make a call for stripe-python.

        :raises stripe.APIConnectionError: there is no response.
        """
        origin = self._client.origin
        if not url.startswith(f"{origin}/"):  # the key is sent nowhere else
            raise stripe.APIConnectionError(f"{url} is not a URL of {origin}")  # type: ignore[no-untyped-call]
        body = post_data.encode() if isinstance(post_data, str) else post_data
        try:
            deadline = getattr(self._limit, "deadline", math.inf)
            response = self._client.exchange(method.upper(), url[len(origin) :], headers or {}, body, deadline)
        except HttpError as error:
            what = "Stripe was not reached" if isinstance(error, ConnectError) else "Stripe's response was lost"
            kind = _KINDS.get(type(error), stripe.APIConnectionError)
            raise kind(f"{what}: {error}", should_retry=not isinstance(error, CertificateError)) from error
        return response.body, response.status, response.headers


_KINDS: dict[type[HttpError], type[stripe.APIConnectionError]] = {
    ReadTimeout: StripeTimeout,
    StaleConnectionError: StripeStaleConnectionError,
}
