"""Parameter Store and Stripe denied, throttled, slow, cut off, malformed: over real connections, with no restart.

Which response the caller gets for each failure of Stripe: tests/unit/test_charge.py.
"""

import time

import pytest

from chalicelib.aws.client import CallError, RejectedError, ThrottledError, TransientError
from chalicelib.aws.ssm import ParameterStore
from devstack.aws_emulator import AwsFault
from tests.support.contract import example, without_values
from tests.support.stack import PURCHASE, TEST_PARAMETER, Api, Stack, is_problem

SDK, SIGNED = {"AWS_CHALICE_CLI_MODE": "true"}, {"AWS_REGION": "us-east-1"}


@pytest.mark.parametrize(
    ("way", "fault", "kind"),
    [
        (SDK, {"error": "AccessDeniedException"}, RejectedError),
        (SDK, {"error": "ThrottlingException"}, ThrottledError),
        (SDK, {"error": "InternalServerError", "status": 500}, TransientError),
        (SDK, {"body": b"<html>502</html>", "status": 502}, TransientError),
        (SDK, {"body": b"<html>hello</html>", "status": 200}, TransientError),
        (SDK, {"body": b'{"Parameter": {"Type": "SecureString", "Value": 7}}', "status": 200}, TransientError),
        (SDK, {"body": b"", "status": 200}, TransientError),
        *((way, fault, TransientError) for way in (SDK, SIGNED) for fault in ({"delay": 5}, {"cut": True})),
    ],
    ids=str,
)
def test_a_read_fails_and_recovers(stack: Stack, monkeypatch: pytest.MonkeyPatch, way, fault, kind):
    for variable, value in (stack.aws.environment() | way).items():
        monkeypatch.setenv(variable, value)
    stack.aws.fail(AwsFault("GetParameter", 1, **fault))
    parameter_store = ParameterStore()
    with pytest.raises(CallError) as raised:
        parameter_store.get(TEST_PARAMETER)
    assert type(raised.value) is kind
    assert parameter_store.get(TEST_PARAMETER).value == stack.key


@pytest.mark.slow
def test_stripe_hangs_and_recovers():
    # A Stripe of its own, since the calls that hang end when other tests run.
    with Stack() as stack, Api(stack) as api:
        stack.reset()
        stack.stripe.faults.add(count=1000, match="/v1/payment_intents", delay_after=12)
        response = api.post(PURCHASE)
        assert is_problem(response, 504, "outcome_unknown")
        assert response.elapsed.total_seconds() < 25  # API Gateway's limit, not a measure of speed
        described = example("POST /billing", 504, "outcome_unknown")
        assert without_values(response.json()) == without_values(described)
        stack.stripe.faults.clear()
        while (again := api.post(PURCHASE, Idempotency_Key=response.headers["Idempotency-Key"])).status_code == 409:
            time.sleep(int(again.headers["Retry-After"]))
        assert again.status_code == 200, again.text
        assert len(stack.stripe.payment_intents) == 1
