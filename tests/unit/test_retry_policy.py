"""When a failed call to Stripe or Parameter Store is repeated: how long to wait, and when it is too late."""

from types import SimpleNamespace

import pytest

from chalicelib.aws.backoff import retry_delay
from chalicelib.stripe_client.retry_policy import ATTEMPTS, RetryPolicy
from chalicelib.stripe_client.sdk_without_asyncio import stripe
from chalicelib.stripe_client.transport import StripeStaleConnectionError

LATEST_START = 14.0
REJECTED = stripe.AuthenticationError("no such key", http_status=401)
NO_PERMISSION = stripe.PermissionError("not permitted", http_status=403)
SERVER_ERROR = stripe.APIError("down", http_status=500)
STALE = StripeStaleConnectionError("closed", should_retry=True)


@pytest.fixture
def time() -> SimpleNamespace:
    return SimpleNamespace(now=0.0)


@pytest.fixture
def policy(time: SimpleNamespace) -> RetryPolicy:
    """A policy whose pauses are as long as they may be."""
    return RetryPolicy(LATEST_START, clock=lambda: time.now, jitter=lambda least, most: least + most)


@pytest.mark.parametrize(
    ("failures", "pauses"),
    [
        ([SERVER_ERROR] * ATTEMPTS, [0.25, 0.5, 1.0, None]),
        ([STALE, REJECTED, NO_PERMISSION, STALE], [0.0, 0.0, 0.0, None]),  # a new connection, another key
        ([STALE, REJECTED, SERVER_ERROR], [0.0, 0.0, 0.25]),
        ([SERVER_ERROR, STALE, SERVER_ERROR], [0.25, 0.0, 0.5]),
        ([KeyError("a bug")], [None]),
        ([stripe.APIConnectionError("certificate", should_retry=False)], [None]),
    ],
)
def test_the_cap_of_a_pause_doubles_and_the_fourth_attempt_is_the_last(policy: RetryPolicy, failures, pauses):
    assert [policy.pause_after(failure) for failure in failures] == pauses


def test_no_attempt_starts_after_the_latest_start(policy: RetryPolicy, time: SimpleNamespace):
    time.now = LATEST_START - 0.25
    assert policy.pause_after(SERVER_ERROR) == 0.25
    assert policy.pause_after(SERVER_ERROR) is None  # 0.5 s would be too long
    time.now = LATEST_START
    assert not policy.is_late
    time.now = LATEST_START + 0.01
    assert policy.is_late
    assert policy.pause_after(STALE) is None


def test_a_pause_is_random():
    pauses = [RetryPolicy(LATEST_START, clock=lambda: 0.0).pause_after(SERVER_ERROR) for _ in range(20)]
    assert all(pause is not None and 0 <= pause <= 0.25 for pause in pauses)
    assert len(set(pauses)) > 10


@pytest.mark.parametrize("is_awaited", [True, False])
def test_no_attempt_starts_that_the_deadline_would_cut_off(is_awaited: bool):
    for failures in range(1, 40):
        for remaining in (0.3, 1.0, 5.0, 18.0):
            delays = [retry_delay(failures, remaining, is_awaited=is_awaited) for _ in range(50)]
            assert all(delay is None or 0 <= delay < remaining for delay in delays)
        assert retry_delay(failures, 0.0, is_awaited=is_awaited) is None


def test_the_requests_that_have_waited_longest_retry_most_often():
    longest = [max(retry_delay(20, remaining, is_awaited=True) or 0 for _ in range(300)) for remaining in (6, 3, 1.5)]
    assert longest == sorted(longest, reverse=True)
    assert longest[-1] < longest[0] / 10
