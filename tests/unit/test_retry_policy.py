"""When a failed call to Stripe is repeated: what may help, how long to wait, and when it is too late."""

import pytest

from chalicelib.stripe_client.errors import UnexpectedResponseError
from chalicelib.stripe_client.retry_policy import ATTEMPTS, RetryPolicy
from chalicelib.stripe_client.sdk_without_asyncio import stripe
from chalicelib.stripe_client.transport import StripeStaleConnectionError, StripeTimeout

LATEST_START = 14.0
REJECTED = stripe.AuthenticationError("no such key", http_status=401)
NO_PERMISSION = stripe.PermissionError("not permitted", http_status=403)
SERVER_ERROR = stripe.APIError("down", http_status=500)
TIMEOUT = StripeTimeout("no response", should_retry=True)
STALE = StripeStaleConnectionError("closed", should_retry=True)


class Clock:
    """A monotonic clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policy(clock: Clock) -> RetryPolicy:
    """A policy whose pauses are as long as they may be."""
    return RetryPolicy(LATEST_START, clock=clock, jitter=lambda _least, most: most)


@pytest.mark.parametrize(
    "error",
    [
        SERVER_ERROR,
        TIMEOUT,
        UnexpectedResponseError("not an object"),
        stripe.APIError("malformed JSON", http_status=200),
        stripe.IdempotencyError("in use", http_status=409),
        stripe.InvalidRequestError("try again", None, http_status=400, headers={"stripe-should-retry": "true"}),
        stripe.CardError("try again", None, "card_declined", http_status=402, headers={"stripe-should-retry": "true"}),
    ],
)
def test_these_failures_are_retried_after_a_pause(policy: RetryPolicy, error: Exception):
    assert policy.pause_after(error) == 0.25


@pytest.mark.parametrize("error", [REJECTED, NO_PERMISSION, STALE])
def test_another_key_and_a_new_connection_need_no_pause(policy: RetryPolicy, error: Exception):
    assert policy.pause_after(error) == 0.0


@pytest.mark.parametrize(
    "error",
    [
        stripe.CardError("declined", None, "card_declined", http_status=402),
        stripe.InvalidRequestError("no such token", "source", http_status=400),
        stripe.RateLimitError("slow down", http_status=429),
        stripe.IdempotencyError("other parameters", http_status=400),
        stripe.APIConnectionError("certificate", should_retry=False),
        stripe.APIError("down for good", http_status=500, headers={"stripe-should-retry": "false"}),
        stripe.IdempotencyError("in use", http_status=409, headers={"stripe-should-retry": "false"}),
        KeyError("a bug"),
    ],
)
def test_these_failures_are_final(policy: RetryPolicy, error: Exception):
    assert policy.pause_after(error) is None


def test_the_longest_pause_doubles_from_a_quarter_second(policy: RetryPolicy):
    assert [policy.pause_after(SERVER_ERROR) for _ in range(ATTEMPTS)] == [0.25, 0.5, 1.0, None]


def test_a_pause_is_random_below_its_cap(clock: Clock):
    caps = []
    policy = RetryPolicy(LATEST_START, clock=clock, jitter=lambda least, most: caps.append((least, most)) or 0.0)
    for _ in range(3):
        policy.pause_after(SERVER_ERROR)
    assert caps == [(0, 0.25), (0, 0.5), (0, 1.0)]


def test_a_pause_that_was_not_needed_does_not_lengthen_the_next(policy: RetryPolicy):
    assert [policy.pause_after(error) for error in (STALE, REJECTED, SERVER_ERROR)] == [0.0, 0.0, 0.25]


def test_the_fourth_failure_is_the_last_whatever_it_is(policy: RetryPolicy):
    assert [policy.pause_after(STALE) for _ in range(ATTEMPTS)] == [0.0, 0.0, 0.0, None]


def test_no_attempt_starts_after_the_latest_start(policy: RetryPolicy, clock: Clock):
    clock.now = LATEST_START - 0.25
    assert not policy.is_late
    assert policy.pause_after(SERVER_ERROR) == 0.25
    clock.now = LATEST_START - 0.25
    assert policy.pause_after(SERVER_ERROR) is None
    clock.now = LATEST_START
    assert not policy.is_late
    clock.now = LATEST_START + 0.01
    assert policy.is_late
    assert policy.pause_after(STALE) is None
