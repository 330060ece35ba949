"""The read limit of the emulated Parameter Store."""

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.stack import TEST_PARAMETER, Stack


def test_reads_over_the_limit_are_throttled_with_the_error_of_aws(stack: Stack):
    ssm = stack.aws.client("ssm", Config(retries={"total_max_attempts": 1}))
    stack.aws.limit_reads(0.001)
    assert ssm.get_parameter(Name=TEST_PARAMETER)["Parameter"]["Name"] == TEST_PARAMETER
    with pytest.raises(ClientError) as caught:
        ssm.get_parameters(Names=[TEST_PARAMETER])
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert ssm.describe_parameters()["Parameters"]
    stack.aws.clear_faults()
    assert ssm.get_parameter(Name=TEST_PARAMETER)
