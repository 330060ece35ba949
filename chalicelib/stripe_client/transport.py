"""What stripe-python sends its requests through: certificates verified, each call within a time, connections kept.

Its own ways need `requests`, which brings netrc files, redirects and 44 ms of import, and can't bound a whole call.
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

# stripe-python logs each call at INFO, with the last four characters of a key that was refused.
logging.getLogger("stripe").setLevel(logging.WARNING)


class StripeTimeout(stripe.APIConnectionError):
    """Stripe got the call, and did not answer it completely in time: it is not known what became of it."""


class StripeStaleConnectionError(stripe.APIConnectionError):
    """Stripe had closed the connection that was kept: the same call can be made again at once."""


class StripeTransport(stripe.HTTPClient):
    """Give it to ``stripe.StripeClient(key, http_client=StripeTransport(…))``. Safe to use from many threads.

    Repeats are the caller's, or stripe-python's where ``max_network_retries`` asks for them: whoever repeats must know
    that the call before may have had its effect.
    """

    name = "notes-billing"

    def __init__(self, client: HttpClient) -> None:
        """Nothing is called yet.

        :param client: what :func:`chalicelib.stripe_connection.stripe_connection` returns.
        """
        super().__init__()
        self._client = client
        self._limit = threading.local()

    def end_by(self, deadline: float) -> None:
        """Let the calls of this thread end by then, by the monotonic clock, where that is before their own limits."""
        self._limit.deadline = deadline

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Make a call, as stripe-python asks for it.

        :raises stripe.APIConnectionError: there is no answer.
        """
        origin = self._client.origin
        if not url.startswith(f"{origin}/"):  # the key goes nowhere else
            raise _error(stripe.APIConnectionError, f"{url} is not an address of {origin}", should_retry=False)
        body = post_data.encode() if isinstance(post_data, str) else post_data
        try:
            deadline = getattr(self._limit, "deadline", math.inf)
            answer = self._client.exchange(method.upper(), url[len(origin) :], headers or {}, body, deadline)
        except HttpError as error:
            what = "Stripe was not reached" if isinstance(error, ConnectError) else "Stripe's answer was lost"
            kind = _KINDS.get(type(error), stripe.APIConnectionError)
            raise _error(kind, f"{what}: {error}", should_retry=not isinstance(error, CertificateError)) from error
        return answer.body, answer.status, answer.headers

    def close(self) -> None:
        """Close the connections that are idle."""
        self._client.close()


_KINDS: dict[type[HttpError], type[stripe.APIConnectionError]] = {
    ReadTimeout: StripeTimeout,
    StaleConnectionError: StripeStaleConnectionError,
}


def _error(kind: type[stripe.APIConnectionError], message: str, *, should_retry: bool) -> stripe.APIConnectionError:
    return kind(message, should_retry=should_retry)
