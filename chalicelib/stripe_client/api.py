"""Calls to Stripe's API with the stage's key. Nothing else uses the key."""

import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from chalicelib.aws.http_client import HttpClient
from chalicelib.aws.secret import Secret, SecretError, SecretValue, clear_frame_locals
from chalicelib.stripe_client.connection import ANSWER, CONNECT
from chalicelib.stripe_client.errors import KEY_REJECTED, StripeCallError, UnexpectedResponseError
from chalicelib.stripe_client.retry_policy import RetryPolicy
from chalicelib.stripe_client.sdk_without_asyncio import stripe
from chalicelib.stripe_client.transport import StripeTransport
from chalicelib.telemetry import Telemetry

# Pinned, so that responses keep their form whatever the account's default version is
# (https://docs.stripe.com/api/versioning).
API_VERSION = "2026-10-28.endive"

# Seconds within which a call ends, with its retries and the wait for the key: the API responds within 25.
DEADLINE = 24.0

# Seconds that are left for Stripe when a throttled Parameter Store returns the key late (docs/fleet.md).
RESERVED_FOR_STRIPE = 6.0

_T = TypeVar("_T")


class StripeApi:
    """Calls Stripe over connections that are kept alive. Safe to use from many threads."""

    def __init__(
        self, key: Secret, connection: HttpClient, base: str, telemetry: Telemetry, deadline: float = DEADLINE
    ) -> None:
        """
        :param key: the stage's Stripe key.
        :param connection: to Stripe.
        :param base: the origin of Stripe's API.
        :param telemetry: traces the calls.
        :param deadline: seconds within which a call ends.
        """
        self._key = key
        self._telemetry = telemetry
        self._transport = StripeTransport(connection)
        self.deadline = deadline
        # The key goes with each call, since it may be replaced between two.
        self._client = stripe.StripeClient(
            "none",
            http_client=self._transport,
            stripe_version=API_VERSION,
            base_addresses={"api": base},
            max_network_retries=0,
        )

    def request(
        self, method: Literal["get", "post"], path: str, parse: Callable[[dict[str, Any]], _T], **params: Any
    ) -> _T:
        """Call Stripe until a call succeeds: a rejected key is refreshed, other failures are retried.

        :param parse: converts the JSON object of the response. Raises UnexpectedResponseError for any other object.
        :param params: of the call, and ``idempotency_key``.
        :raises StripeCallError: no attempt succeeded before the deadline.
        """
        started = time.monotonic()
        policy = RetryPolicy(latest_start=started + self.deadline - CONNECT - ANSWER)
        self._transport.end_by(started + self.deadline)
        failures: list[Exception] = []
        try:
            key: SecretValue | None = self._key.get(started + self.deadline - RESERVED_FOR_STRIPE)
            while key is not None:
                try:
                    with self._telemetry.subsegment("api.stripe.com", "remote"):
                        return parse(self._attempt(method, path, key, params))
                except KEY_REJECTED as error:
                    failures.append(error)
                    # A read that starts late could end after the deadline: the next call makes it.
                    key = None if policy.is_late else self._replacement(key, policy.latest_start)
                    pause = policy.pause_after(error)
                except Exception as error:  # noqa: BLE001 - the caller explains whatever the response caused
                    failures.append(error)
                    pause = policy.pause_after(error)
                if pause is None:
                    break
                time.sleep(pause)
        except SecretError as error:
            failures.append(error)
        for failure in failures:
            clear_frame_locals(failure)
        raise StripeCallError(failures)

    def _attempt(self, method: str, path: str, key: SecretValue, params: dict[str, Any]) -> dict[str, Any]:
        """Call Stripe once, by stripe-python's way for custom requests, which returns the JSON as it is.

        Its classes of a PaymentIntent describe the same JSON, and importing them is a large part of a cold start.
        """
        body = self._client.raw_request(method, path, api_key=key.reveal(), **params).data
        if not isinstance(body, dict):
            raise UnexpectedResponseError(f"not an object but {type(body).__name__}")
        return body

    def _replacement(self, rejected: SecretValue, until: float) -> SecretValue | None:
        """Return the key that replaced a rejected one in Parameter Store, or None if it is still the same."""
        key = self._key.refresh(rejected, until=until)
        return None if key == rejected else key
