"""The Stripe key in the service: when it is read, when it is read again, and that nothing shows it."""

import copy
import json
import logging
import pickle
import subprocess
import sys
import threading
import traceback

import pytest

from chalicelib.aws.secret import Secret, SecretInvalidError, SecretUnavailableError, SecretValue
from chalicelib.config import load
from devstack.aws_emulator import AwsFault
from tests import APP
from tests.support.lambda_container import Container
from tests.support.stack import LIVE_PARAMETER, PROJECT, PURCHASE, TEST_PARAMETER, Api, Stack, eventually, is_problem

CANARY = "sk_test_canaryCanaryCanary0123456789"


def test_a_container_reads_the_key_once_during_init(container: Container, stack: Stack):
    assert container.initialized
    assert stack.reads() == 1
    assert [container.post(PURCHASE).status_code for _ in range(3)] == [200, 200, 200]
    assert stack.reads() == 1


def test_a_container_is_connected_to_stripe_before_its_first_purchase(stack: Stack):
    before = stack.stripe.connections
    with Container(stack) as container:
        assert stack.stripe.connections == before + 1
        assert stack.stripe.requests == []
        assert container.post(PURCHASE).status_code == 200
        assert stack.stripe.connections == before + 1


def test_init_ends_when_stripe_can_not_be_reached(stack: Stack):
    with Container(stack, STRIPE_API_BASE="http://127.0.0.1:1") as container:
        assert container.initialized


@pytest.mark.parametrize(
    "fault",
    [
        AwsFault("GetParameter", error="AccessDeniedException"),
        AwsFault("GetParameter", count=100, delay=4),
        AwsFault("GetParameter", count=100, error="ThrottlingException"),
    ],
    ids=["denied", "hanging", "throttled"],
)
def test_a_read_that_fails_during_init_is_retried_by_the_next_request(stack: Stack, fault):
    stack.aws.fail(fault)
    with Container(stack) as container:
        assert container.initialized
        stack.aws.clear_faults()
        reads = stack.reads()
        assert container.post(PURCHASE).status_code == 200
        assert stack.reads() == reads + 1
        assert "the read during init failed" in container.output()


def test_throttling_is_waited_out_within_the_timeout(stack: Stack):
    stack.aws.fail(AwsFault("GetParameter", count=3, error="ThrottlingException"))
    with Container(stack) as container:
        assert stack.reads() == 4
        assert container.post(PURCHASE).status_code == 200
        assert stack.reads() == 4


def test_a_read_ends_within_its_timeout_however_long_parameter_store_takes(stack: Stack, monkeypatch):
    for name, value in stack.aws.environment().items():
        monkeypatch.setenv(name, value)
    stack.aws.fail(AwsFault("GetParameter", delay=1, count=10))
    parameter = Secret(TEST_PARAMETER, timeout=0.2)
    with pytest.raises(SecretUnavailableError, match="did not respond in time"):
        parameter.get()
    stack.aws.clear_faults()
    assert Secret(TEST_PARAMETER).get().reveal() == stack.key


@pytest.mark.parametrize("command", ["import app", "import chalice.cli; chalice.cli.main()"])
def test_nothing_is_read_on_the_deployers_machine(stack: Stack, command):
    arguments = ["gen-policy"] if "cli" in command else []
    connections = stack.stripe.connections
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        cwd=APP,
        env={**stack.environment(), "AWS_CHALICE_CLI_MODE": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert stack.aws.calls == []
    assert stack.stripe.connections == connections


def test_a_rotated_key_is_read_again_when_stripe_rejects_the_old_one(container: Container, stack: Stack):
    old, new = stack.issue_key(), stack.issue_key()
    stack.aws.put_secret(TEST_PARAMETER, old)
    with Container(stack) as container:
        assert container.post(PURCHASE).status_code == 200
        stack.aws.put_secret(TEST_PARAMETER, new)
        stack.stripe.keys.revoke(old)
        reads = stack.reads()
        assert [container.post(PURCHASE).status_code for _ in range(3)] == [200, 200, 200]
        assert stack.reads() == reads + 1
    last = stack.stripe.requests[-4:]
    assert [request.status for request in last] == [401, 200, 200, 200]
    assert last[0].idempotency_key == last[1].idempotency_key


def test_a_key_that_stripe_rejects_is_read_again_once_per_30_seconds(stack: Stack):
    revoked = stack.issue_key()
    stack.stripe.keys.revoke(revoked)
    stack.aws.put_secret(TEST_PARAMETER, revoked)
    with Container(stack) as container:
        for _ in range(5):
            assert is_problem(container.post(PURCHASE), 503, "stripe_key_rejected")
    assert stack.reads() == 2
    assert revoked not in json.dumps(stack.aws.calls)


def test_a_restricted_key_without_the_permission_is_a_rejected_key(stack: Stack):
    stack.aws.put_secret(TEST_PARAMETER, stack.issue_key(restricted_to=()))
    with Container(stack) as container:
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_rejected")


@pytest.mark.parametrize(
    "wrong",
    [
        "sk_live_" + "a" * 24,
        "rk_live_" + "a" * 24,
        "pk_test_" + "a" * 24,
        "hello",
        "sk_test_short",
        "sk_test_a b c d e f",
    ],
)
def test_a_key_that_is_invalid_for_dev_never_reaches_stripe(stack: Stack, wrong):
    stack.aws.put_secret(TEST_PARAMETER, wrong)
    with Container(stack) as container:
        response = container.post(PURCHASE)
        assert is_problem(response, 503, "stripe_key_rejected")
        assert stack.stripe.requests == []
        assert wrong not in response.text
        # A valid one is used at once, without a restart or a wait.
        stack.aws.put_secret(TEST_PARAMETER, stack.key)
        assert container.post(PURCHASE).status_code == 200
        assert wrong not in container.output()


@pytest.mark.parametrize(("key", "calls"), [("sk_test_" + "a" * 24, 0), ("sk_live_" + "a" * 24, 1)])
def test_a_test_key_under_prod_never_reaches_stripe_and_a_live_key_does(stack: Stack, key, calls):
    stack.aws.put_secret(LIVE_PARAMETER, key)
    # Prod's Stripe can't be redirected, so a proxy shows whether it was called. Init has tried to connect already.
    with Container(stack, stage="prod", HTTPS_PROXY=stack.stripe.url) as container:
        before = stack.stripe.connections
        response = container.post(PURCHASE)
    expected = "payment_provider_error" if calls else "stripe_key_rejected"
    assert response.json()["code"] == expected
    assert min(stack.stripe.connections - before, 1) == calls


@pytest.fixture
def _emulated_aws(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.aws.environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_emulated_aws")
def test_an_abandoned_read_does_not_overwrite_a_newer_one(stack: Stack):
    stack.aws.put_secret("/slow", "first")
    parameter = Secret("/slow", timeout=0.5, refresh_interval=0)
    assert eventually(lambda: _is_read(parameter))  # to build the client takes a while on a busy machine
    first = parameter.get()
    stack.aws.put_secret("/slow", "old")
    stack.aws.fail(AwsFault("GetParameter", delay_after=0.8))  # reads the old value, and returns it late
    with pytest.raises(SecretUnavailableError):
        parameter.refresh(first)
    abandoned = [thread for thread in threading.enumerate() if thread.name == "secret"]
    assert abandoned
    stack.aws.put_secret("/slow", "new")
    assert parameter.refresh(first).reveal() == "new"
    for thread in abandoned:
        thread.join()
    assert parameter.get().reveal() == "new"


def _is_read(parameter: Secret) -> bool:
    try:
        parameter.get()
    except SecretUnavailableError:
        return False
    return True


@pytest.mark.usefixtures("_emulated_aws")
def test_credentials_that_come_later_are_found(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    parameter = Secret(TEST_PARAMETER)
    with pytest.raises(SecretUnavailableError, match="credentials"):
        parameter.get()
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert parameter.get().reveal() == stack.key


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ENDPOINT_URL", "nonsense"), ("AWS_PROFILE", "nobody"), ("AWS_DEFAULT_REGION", "a b")]
)
@pytest.mark.usefixtures("_emulated_aws")
def test_invalid_aws_settings_are_an_unavailable_parameter(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SecretUnavailableError, match=TEST_PARAMETER):
        Secret(TEST_PARAMETER, timeout=2).get()


def test_an_error_reporter_that_records_local_variables_records_no_key(stack: Stack):
    """Errors that leave the modules that hold the key carry no key: a declined card, and an invalid key."""
    program = """
import traceback
from app import payments, stage
from chalicelib.aws.secret import Secret
from chalicelib.billing.purchase_request import PurchaseRequest
def report(call):
    try: call()
    except Exception as error:
        print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
report(lambda: payments.charge(PurchaseRequest(1, "source", "tok_chargeDeclined", "k"), "me"))
report(lambda: payments.charge(PurchaseRequest(1, "source", "tok_unknown", "l"), "me"))
report(lambda: Secret(stage.parameter("stripe-key"), validate=lambda value: "is wrong").get())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=APP,
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("Traceback") >= 3, done.stderr
    assert "CardError" in done.stdout
    assert "is wrong" in done.stdout
    assert stack.key not in done.stdout + done.stderr


def test_the_log_does_not_show_a_rejected_key(stack: Stack):
    revoked = stack.issue_key()
    stack.stripe.keys.revoke(revoked)
    stack.aws.put_secret(TEST_PARAMETER, revoked)
    with Container(stack) as container:
        assert is_problem(container.post(PURCHASE), 503, "stripe_key_rejected")
        log = container.output()
    assert "stripe_key_rejected" in log
    assert "req_" in log  # Stripe's own log has the rest
    assert revoked[-4:] not in log


def test_chalice_local_reads_the_key_when_it_is_first_needed(fresh_api: Api, stack: Stack):
    assert stack.reads() == 0
    assert fresh_api.post(PURCHASE).status_code == 200
    assert fresh_api.post(PURCHASE).status_code == 200
    assert stack.reads() == 1


def test_a_plain_string_parameter_is_invalid(stack: Stack, monkeypatch):
    for name, value in stack.aws.environment().items():
        monkeypatch.setenv(name, value)
    stack.aws.client("ssm").put_parameter(Name="/plain", Value=CANARY, Type="String", Overwrite=True)
    with pytest.raises(SecretInvalidError, match="not a SecureString") as raised:
        Secret("/plain").get()
    assert CANARY not in str(raised.value)


def test_only_reveal_shows_a_secret():
    secret = SecretValue(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", "%s %r" % (secret, secret), repr({"key": [secret]}), repr(vars)]  # noqa: UP031
    assert not any("canary" in text.lower() for text in shown)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, hash):
        with pytest.raises(TypeError) as raised:
            attempt(secret)
        assert "canary" not in "".join(traceback.format_exception(raised.value)).lower()
    assert secret.reveal() == CANARY
    assert secret == SecretValue(CANARY)
    assert secret != SecretValue(CANARY + "x")
    assert secret != CANARY


def test_a_traceback_with_locals_does_not_show_it():
    secret = SecretValue(CANARY)
    try:
        raise RuntimeError(f"failed with {secret}")
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret = " in shown
    # The test's own source line names the constant, but not its value.
    assert CANARY not in shown


def test_debug_logging_of_everything_does_not_show_it(stack: Stack):
    """This holds for a third party's handler too, which redacts nothing."""
    program = """
import logging
import app
logging.getLogger().setLevel(logging.DEBUG)
logging.getLogger().addHandler(logging.StreamHandler())
from tests.support.container import handle
from tests.support.lambda_container import billing_event
from tests.support.stack import PURCHASE
print(handle(billing_event(PURCHASE))["statusCode"])
print(handle(billing_event({}))["statusCode"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,  # the program imports from the tests
        env={**stack.environment(), "STRIPE_LOG": "debug", "AWS_CHALICE_CLI_MODE": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "200" in done.stdout.split(), done.stderr
    assert "400" in done.stdout.split()
    assert len(done.stderr) > 5_000  # it did log
    assert stack.key not in done.stderr + done.stdout


def test_stripe_pythons_own_log_lines_are_not_logged(stack: Stack):
    """They have whole requests and responses: card tokens, client secrets."""
    with Container(stack, STRIPE_LOG="debug") as container:
        assert container.post(PURCHASE).status_code == 200
        assert container.post({**PURCHASE, "source": "tok_chargeDeclined"}).status_code == 402
        log = container.output()
    assert "payment_id" in log
    assert "Stripe" not in log
    assert "tok_" not in log


def test_a_key_of_the_wrong_mode_is_described_and_not_quoted():
    problem = load({"STAGE": "prod"}).validate("stripe-key", CANARY)
    assert "sk_live_ or rk_live_" in str(problem)
    assert CANARY not in str(problem)
    assert logging.getLogger("botocore.parsers").level >= logging.INFO
