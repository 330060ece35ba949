"""The read limit of the emulated Parameter Store."""

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from devstack.token_bucket import TokenBucket
from tests.support.stack import TEST_PARAMETER, Stack


def test_a_full_bucket_has_tokens_for_one_second_and_refills_at_its_rate():
    now = 0.0
    bucket = TokenBucket(40, lambda: now)
    assert sum(bucket.take() for _ in range(100)) == 40
    now += 0.5
    assert sum(bucket.take() for _ in range(100)) == 20
    now += 60
    assert sum(bucket.take() for _ in range(100)) == 40


def test_a_slow_bucket_has_one_token_at_a_time():
    now = 0.0
    bucket = TokenBucket(0.5, lambda: now)
    assert [bucket.take(), bucket.take()] == [True, False]
    now += 2
    assert [bucket.take(), bucket.take()] == [True, False]


def test_the_burst_limits_a_full_bucket():
    now = 0.0
    bucket = TokenBucket(40, lambda: now, burst=1)
    assert sum(bucket.take() for _ in range(100)) == 1
    now += 60
    assert sum(bucket.take() for _ in range(100)) == 1


def test_reads_over_the_limit_are_throttled_with_the_error_of_aws(stack: Stack):
    once = Config(retries={"total_max_attempts": 1})
    ssm = stack.aws.client("ssm", once)
    stack.aws.limit_reads(0.001)
    assert ssm.get_parameter(Name=TEST_PARAMETER)["Parameter"]["Name"] == TEST_PARAMETER
    with pytest.raises(ClientError) as caught:
        ssm.get_parameters(Names=[TEST_PARAMETER])
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert ssm.describe_parameters()["Parameters"]
    stack.aws.clear_faults()
    assert ssm.get_parameter(Name=TEST_PARAMETER)
