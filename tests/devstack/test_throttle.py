"""The emulated Parameter Store's limit on reads."""

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from devstack.token_bucket import TokenBucket
from tests.support.stack import TEST_PARAMETER, Stack


def test_a_bucket_gives_a_seconds_worth_at_once_and_then_its_rate():
    now = 0.0
    bucket = TokenBucket(40, lambda: now)
    assert sum(bucket.take() for _ in range(100)) == 40
    now += 0.5
    assert sum(bucket.take() for _ in range(100)) == 20
    now += 60
    assert sum(bucket.take() for _ in range(100)) == 40


def test_a_slow_bucket_gives_one_at_a_time():
    now = 0.0
    bucket = TokenBucket(0.5, lambda: now)
    assert [bucket.take(), bucket.take()] == [True, False]
    now += 2
    assert [bucket.take(), bucket.take()] == [True, False]


def test_a_bucket_may_save_up_less_for_a_burst():
    now = 0.0
    bucket = TokenBucket(40, lambda: now, burst=1)
    assert sum(bucket.take() for _ in range(100)) == 1
    now += 60
    assert sum(bucket.take() for _ in range(100)) == 1


def test_reads_beyond_the_limit_are_throttled_as_aws_does_it(stack: Stack):
    once = Config(retries={"total_max_attempts": 1})
    ssm = stack.aws.client("ssm", once)
    stack.aws.limit_reads(0.001)
    assert ssm.get_parameter(Name=TEST_PARAMETER)["Parameter"]["Name"] == TEST_PARAMETER
    with pytest.raises(ClientError) as refused:
        ssm.get_parameters(Names=[TEST_PARAMETER])
    assert refused.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert ssm.describe_parameters()["Parameters"]
    stack.aws.heal()
    assert ssm.get_parameter(Name=TEST_PARAMETER)
