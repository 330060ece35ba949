"""The Stripe key in the service: when it is read, when it is read again, and that nothing shows it."""

import json
import subprocess
import sys

import pytest

from tests import APP
from tests.support.lambda_container import Container, billing_event
from tests.support.stack import LIVE_PARAMETER, PURCHASE, TEST_PARAMETER, Stack, is_problem

LIVE_KEY = "sk_live_" + "a" * 24


def test_a_container_reads_the_key_and_connects_to_stripe_once_during_init(stack: Stack):
    connections = stack.stripe.connections
    with Container(stack) as container:
        assert (stack.reads(), stack.stripe.connections - connections, stack.stripe.requests) == (1, 1, [])
        assert [container.post(PURCHASE).status_code for _ in range(3)] == [200, 200, 200]
        assert (stack.reads(), stack.stripe.connections - connections) == (1, 1)
        assert [request.path for request in stack.stripe.requests] == ["/v1/payment_intents"] * 3
    with Container(stack, STRIPE_API_BASE="http://127.0.0.1:1"):
        assert stack.reads() == 2  # init ends, although Stripe cannot be reached


@pytest.mark.parametrize("command", ["import app", "import chalice.cli; chalice.cli.main()"])
def test_nothing_is_read_on_the_deployers_machine(stack: Stack, command):
    connections = stack.stripe.connections
    arguments = ["gen-policy"] if "cli" in command else []
    run(command, stack, *arguments, AWS_CHALICE_CLI_MODE="true")
    assert (stack.aws.calls, stack.stripe.connections) == ([], connections)


def test_a_key_that_was_replaced_by_an_invalid_one_is_not_used_again(stack: Stack):
    old = stack.issue_key()
    stack.aws.put_secret(TEST_PARAMETER, old)
    with Container(stack) as container:
        assert container.post(PURCHASE).status_code == 200
        stack.aws.put_secret(TEST_PARAMETER, LIVE_KEY)
        stack.stripe.keys.revoke(old)
        for reads in (2, 3):  # the second request reads again
            assert is_problem(container.post(PURCHASE), 503, "stripe_key_rejected")
            assert stack.reads() == reads
        assert [request.status for request in stack.stripe.requests] == [200, 401]
        stack.aws.put_secret(TEST_PARAMETER, stack.key)
        assert container.post(PURCHASE).status_code == 200  # at once, without a restart or a wait
        assert LIVE_KEY not in container.output()


def test_a_key_that_stripe_rejects_is_read_again_once_per_30_seconds_and_not_shown(stack: Stack):
    rejected = stack.issue_key()
    stack.stripe.keys.revoke(rejected)
    stack.aws.put_secret(TEST_PARAMETER, rejected)
    with Container(stack) as container:
        for _ in range(5):
            assert is_problem(container.post(PURCHASE), 503, "stripe_key_rejected")
        log = container.output()
    assert stack.reads() == 2
    assert "req_" in log  # Stripe's own log has the rest
    assert rejected[-4:] not in log


@pytest.mark.parametrize(
    ("key", "code", "calls"),
    [("sk_test_" + "a" * 24, "stripe_key_rejected", False), (LIVE_KEY, "payment_provider_error", True)],
)
def test_a_test_key_under_prod_never_reaches_stripe_and_a_live_key_does(stack: Stack, key, code, calls):
    stack.aws.put_secret(LIVE_PARAMETER, key)
    # Prod's Stripe can't be redirected, so a proxy shows whether it was called. Init has tried to connect already.
    with Container(stack, stage="prod", HTTPS_PROXY=stack.stripe.url) as container:
        before = stack.stripe.connections
        assert container.post(PURCHASE).json()["code"] == code
    assert (stack.stripe.connections > before) == calls


def test_neither_an_error_report_with_local_variables_nor_a_debug_log_shows_the_key(stack: Stack):
    """This holds for third parties' reporters and handlers too, which redact nothing."""
    program = """
import json, logging, sys, traceback, types
import app
from chalicelib.aws.secret import Secret
from chalicelib.billing.purchase_request import PurchaseRequest
logging.getLogger().setLevel(logging.DEBUG)
logging.getLogger().addHandler(logging.StreamHandler())
context = types.SimpleNamespace(aws_request_id="1")
print([app.app(event, context)["statusCode"] for event in json.loads(sys.argv[1])])
def report(call):
    try: call()
    except Exception as error:
        print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
report(lambda: app.payments.charge(PurchaseRequest(1, "source", "tok_chargeDeclined", "k"), "me"))
report(lambda: app.payments.charge(PurchaseRequest(1, "source", "tok_unknown", "l"), "me"))
report(lambda: Secret(app.stage.parameter("stripe-key"), validate=lambda value: "is wrong").get())
"""
    events = json.dumps([billing_event(PURCHASE), billing_event({})])
    done = run(program, stack, events, STRIPE_LOG="debug", AWS_CHALICE_CLI_MODE="true")
    assert "[200, 400]" in done.stdout
    assert done.stdout.count("Traceback") >= 3
    assert "CardError" in done.stdout
    assert "is wrong" in done.stdout
    assert len(done.stderr) > 5_000  # it did log
    assert stack.key not in done.stdout + done.stderr


def run(program: str, stack: Stack, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python program in the app's folder."""
    command = [sys.executable, "-c", program, *arguments]
    environment = {**stack.environment(), **variables}
    done = subprocess.run(command, cwd=APP, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done
