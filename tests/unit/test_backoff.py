"""The delays between attempts at Parameter Store."""

import pytest

from chalicelib.aws.backoff import retry_delay


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
