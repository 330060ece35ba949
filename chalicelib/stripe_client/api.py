"""Calls to Stripe's API with the stage's Stripe key. No other module of the service sends the key."""

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

# Pinned, so that the account's default version does not change the responses
# (https://docs.stripe.com/api/versioning).
API_VERSION = "2026-10-28.endive"

# Seconds for one call, with its retries and the wait for the key. The API must respond within 25.
CALL_TIMEOUT = 24.0

# Seconds of that time reserved for Stripe: the wait for the key ends before them (docs/fleet.md).
RESERVED_FOR_STRIPE = 6.0

_T = TypeVar("_T")


class StripeApi:
    """Calls Stripe over connections that are kept alive. Safe to use from many threads."""

    def __init__(
        self,
        key: Secret,
        connection: HttpClient,
        base: str,
        telemetry: Telemetry,
        timeout: float = CALL_TIMEOUT,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        :param key: the stage's Stripe key.
        :param connection: to Stripe.
        :param base: the origin of Stripe's API.
        :param telemetry: traces the calls.
        :param timeout: seconds for one call.
        """
        self._key = key
        self._telemetry = telemetry
        self._transport = StripeTransport(connection)
        self.timeout = timeout
        self._clock = clock
        self._sleep = sleep
        # Each call passes the current key; this one is a placeholder.
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
        """Call Stripe, and retry as RetryPolicy allows. If Stripe rejects the key, read the key again.

        :param parse: converts the response's JSON object. Raises UnexpectedResponseError if it is not the expected one.
        :param params: the call's parameters. ``idempotency_key`` is sent as a header.
        :raises StripeCallError: the last attempt failed, and no retry is allowed.
        """
        started = self._clock()
        policy = RetryPolicy(latest_start=started + self.timeout - CONNECT - ANSWER, clock=self._clock)
        self._transport.end_by(started + self.timeout)
        failures: list[Exception] = []
        try:
            key: SecretValue | None = self._key.get(started + self.timeout - RESERVED_FOR_STRIPE)
            while key is not None:
                try:
                    with self._telemetry.subsegment("api.stripe.com", "remote"):
                        return parse(self._attempt(method, path, key, params))
                except KEY_REJECTED as error:
                    failures.append(error)
                    # Too late to read the key and call again: the next call reads it.
                    key = None if policy.is_late else self._refresh_key(key, policy.latest_start)
                    pause = policy.pause_after(error)
                except Exception as error:  # noqa: BLE001 - charge_problems.py converts every error
                    failures.append(error)
                    pause = policy.pause_after(error)
                if pause is None:
                    break
                self._sleep(pause)
        except SecretError as error:
            failures.append(error)
        for failure in failures:
            clear_frame_locals(failure)  # they may hold the key
        raise StripeCallError(failures)

    def _attempt(self, method: str, path: str, key: SecretValue, params: dict[str, Any]) -> dict[str, Any]:
        """Call Stripe once, and return the response's JSON object.

        ``raw_request`` needs none of stripe-python's classes of resources, which a cold start would pay for.
        """
        body = self._client.raw_request(method, path, api_key=key.reveal(), **params).data
        if not isinstance(body, dict):
            raise UnexpectedResponseError(f"the response is a {type(body).__name__}, not a JSON object")
        return body

    def _refresh_key(self, rejected: SecretValue, until: float) -> SecretValue | None:
        """Read the key again. Return None if it has not changed."""
        key = self._key.refresh(rejected, until=until)
        return None if key == rejected else key
