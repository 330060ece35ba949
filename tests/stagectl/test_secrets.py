"""`stagectl secrets`: what is stored, what is refused, and what is shown of it."""

import json
import re

import pytest

from devstack.aws_emulator import AwsFault
from tests.support.operator_session import Operator
from tests.support.stack import LIVE_PARAMETER, TEST_PARAMETER
from tests.support.terminal import Terminal

NO_CHARGES = ("rak_payment_intent_write", "rak_balance_read")


def put(operator, key, *more, stage="dev"):
    return operator.does("secrets", "put", "--stage", stage, *more, stdin=key)


def refuses(operator, key, *more, stage="dev"):
    """A put that has to fail, and to have stored nothing."""
    before = versions(operator, stage)
    said = operator.fails("secrets", "put", "--stage", stage, *more, stdin=key)
    assert versions(operator, stage) == before
    assert not key.strip() or key.strip() not in said
    return said


def versions(operator, stage="dev"):
    """The values of the stage's key parameter, oldest first."""
    ssm = operator.account_of(stage).client("ssm")
    name = LIVE_PARAMETER if stage == "prod" else TEST_PARAMETER
    try:
        entries = ssm.get_parameter_history(Name=name, WithDecryption=True)["Parameters"]
    except ssm.exceptions.ParameterNotFound:
        return []
    return [entry["Value"] for entry in entries]


def described(operator, name=TEST_PARAMETER):
    (found,) = operator.dev.client("ssm").describe_parameters(
        ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [name]}]
    )["Parameters"]
    return found


def test_a_piped_key_is_stored_encrypted_and_only_its_end_is_shown(operator: Operator):
    said = put(operator, operator.test_key + "\n")
    assert versions(operator) == [operator.test_key]
    assert described(operator)["Type"] == "SecureString"
    assert f"{TEST_PARAMETER} is version 1 (…{operator.test_key[-4:]}), the first." in said


def test_a_key_typed_at_the_prompt_is_stored_and_not_echoed(operator: Operator):
    with Terminal(operator, "secrets", "put", "--stage", "dev") as terminal:
        terminal.wait_for(f"Stripe key for dev (account {operator.dev.id}, us-east-1)")
        terminal.types(operator.test_key + "\n")
        assert terminal.ends() == 0
    assert versions(operator) == [operator.test_key]
    assert not [part for part in re.findall(r"\w{8,}", terminal.shown) if part in operator.test_key]
    assert f"…{operator.test_key[-4:]}" in terminal.shown


def test_ctrl_c_at_the_prompt_stores_nothing(operator: Operator):
    with Terminal(operator, "secrets", "put", "--stage", "dev") as terminal:
        terminal.wait_for("Stripe key for dev")
        terminal.types("\x03")
        assert terminal.ends() == 130
    assert "Traceback" not in terminal.shown
    assert versions(operator) == []


def test_a_live_key_cannot_be_put_into_dev(operator: Operator):
    said = refuses(operator, operator.live_key, "--no-verify")
    assert "Stripe key for dev: the value is a live key, but a test key is required" in said


def test_a_test_key_cannot_be_put_into_prod(operator: Operator):
    said = refuses(operator, operator.test_key, "--no-verify", stage="prod")
    assert "Stripe key for prod: the value is a test key, but a live key is required" in said


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("pk_test_51Habcdefghijkl", "Stripe key for dev: the value is a publishable key"),
        ("hunter2", "Stripe key for dev: the value is not a test key"),
        ("", "The value is empty."),
        (" \n", "The value is empty."),
        ("sk_test_51Habcdefghijkl\nsk_test_51Hmnopqrstuvw\n", "The value is not one word."),
    ],
)
def test_what_is_no_key_is_not_stored(operator: Operator, value: str, what: str):
    assert what in refuses(operator, value)


def test_a_key_that_stripe_refuses_is_not_stored_unless_it_is_not_asked(operator: Operator):
    revoked = operator.issue_key("test")
    operator.stack.stripe.keys.revoke(revoked)
    assert "Stripe does not accept the key: it was revoked or mistyped." in refuses(operator, revoked)
    put(operator, revoked, "--no-verify")
    assert versions(operator) == [revoked]


def test_a_restricted_key_that_lacks_a_permission_is_not_stored(operator: Operator):
    said = refuses(operator, operator.issue_key("test", NO_CHARGES))
    assert "The restricted key lacks Charges: Read." in said
    enough = operator.issue_key("test", ("rak_payment_intent_write", "rak_charge_read"))
    put(operator, enough)
    assert versions(operator) == [enough]


def test_a_key_as_an_argument_is_refused_and_not_repeated(operator: Operator):
    done = operator.run("secrets", "put", "--stage", "dev", operator.test_key)
    assert done.returncode == 2
    assert "An argument contains a secret" in done.stderr
    assert "Revoke it" in done.stderr
    assert operator.test_key not in done.stdout + done.stderr
    assert versions(operator) == []


def test_the_same_key_again_makes_no_version_and_another_does(operator: Operator):
    put(operator, operator.test_key)
    assert "is version 1" in (said := put(operator, operator.test_key))
    assert "already; nothing was changed." in said
    other = operator.issue_key("test")
    said = put(operator, other)
    assert f"is version 2 (…{other[-4:]}); it was version 1 (…{operator.test_key[-4:]})." in said
    assert versions(operator) == [operator.test_key, other]


def test_a_kms_key_is_kept_by_later_puts(operator: Operator):
    kms = operator.dev.client("kms").create_key()["KeyMetadata"]["Arn"]
    put(operator, operator.test_key)
    assert "is version 2" in put(operator, operator.test_key, "--kms-key", kms)
    assert described(operator)["KeyId"] == kms
    put(operator, operator.issue_key("test"))
    assert described(operator)["KeyId"] == kms
    put(operator, operator.test_key, "--kms-key", "alias/aws/ssm")
    assert described(operator)["KeyId"] == "alias/aws/ssm"


def test_a_kms_key_that_is_not_there_is_named(operator: Operator):
    said = refuses(operator, operator.test_key, "--kms-key", "alias/nobody")
    assert "InvalidKeyId" in said
    assert "alias/nobody" in said


def test_a_parameter_that_is_plain_text_is_not_written_over(operator: Operator):
    operator.dev.client("ssm").put_parameter(Name=TEST_PARAMETER, Value=operator.test_key, Type="String")
    said = refuses(operator, operator.issue_key("test"))
    assert f"{TEST_PARAMETER} is a String" in said
    assert f"aws ssm delete-parameter --name {TEST_PARAMETER}" in said


def test_a_webhook_secret_is_told_from_a_key(operator: Operator):
    said = refuses(operator, operator.test_key, "webhook-secret")
    assert "must begin with whsec_" in said
    operator.does("secrets", "put", "--stage", "dev", "webhook-secret", stdin="whsec_0123456789abcdef")
    assert described(operator, "/stripeWebhookSecret/dev")["Version"] == 1


def test_list_shows_what_is_stored_and_what_is_not(operator: Operator):
    put(operator, operator.test_key)
    said = operator.does("secrets", "list", "--stage", "dev")
    assert f"{TEST_PARAMETER}" in said
    assert f"…{operator.test_key[-4:]}" in said
    assert "user/operator" in said
    assert "not stored" in said
    key, webhook = json.loads(operator.does("secrets", "list", "--stage", "dev", "--json"))
    assert key["version"] == 1
    assert key["value"] == f"…{operator.test_key[-4:]}"
    assert key["by"].endswith(":user/operator")
    assert webhook == {"secret": "webhook-secret", "parameter": "/stripeWebhookSecret/dev"}


def test_whoever_may_not_read_the_key_is_told_of_its_version_all_the_same(operator: Operator):
    put(operator, operator.test_key)
    operator.dev.deny("ssm:GetParameter")
    (key, _) = json.loads(operator.does("secrets", "list", "--stage", "dev", "--json"))
    assert (key["version"], key["value"]) == (1, "…")


def test_history_tells_who_stored_which_version_when(operator: Operator):
    assert "is not stored." in operator.fails("secrets", "history", "--stage", "dev")
    other = operator.issue_key("test")
    put(operator, operator.test_key)
    put(operator, other)
    table = operator.does("secrets", "history", "--stage", "dev").splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["2", f"…{other[-4:]}"], ["1", f"…{operator.test_key[-4:]}"]]
    second, first = json.loads(operator.does("secrets", "history", "--stage", "dev", "--json"))
    assert (second["version"], first["version"]) == (2, 1)
    assert second["modified"] >= first["modified"]
    assert {"by", "description", "kms_key", "value"} <= set(first)


def test_rollback_goes_to_the_last_other_value_and_stays_there_when_repeated(operator: Operator):
    good, bad = operator.test_key, operator.issue_key("test")
    put(operator, good)
    put(operator, bad)
    said = operator.does("secrets", "rollback", "--stage", "dev")
    assert f"is version 3 (…{good[-4:]})" in said
    assert "is version 3" in operator.does("secrets", "rollback", "--stage", "dev")
    assert versions(operator) == [good, bad, good]


def test_rollback_goes_to_a_version_that_is_named(operator: Operator):
    first, second, third = operator.test_key, operator.issue_key("test"), operator.issue_key("test")
    for key in (first, second, third):
        put(operator, key)
    operator.does("secrets", "rollback", "--stage", "dev", "--to", "1")
    assert versions(operator) == [first, second, third, first]
    assert "has no version 9." in operator.fails("secrets", "rollback", "--stage", "dev", "--to", "9")
    assert operator.run("secrets", "rollback", "--stage", "dev", "--to", "0").returncode == 2


def test_rollback_without_an_earlier_value_changes_nothing(operator: Operator):
    assert "has no earlier value." in operator.fails("secrets", "rollback", "--stage", "dev")
    put(operator, operator.test_key)
    assert "has no earlier value." in operator.fails("secrets", "rollback", "--stage", "dev")
    assert versions(operator) == [operator.test_key]


def test_rollback_to_a_key_that_was_revoked_is_refused(operator: Operator):
    revoked = operator.issue_key("test")
    put(operator, revoked)
    put(operator, operator.test_key)
    operator.stack.stripe.keys.revoke(revoked)
    said = operator.fails("secrets", "rollback", "--stage", "dev")
    assert "Stripe does not accept the key" in said
    assert "Nothing was stored" in said
    assert versions(operator) == [revoked, operator.test_key]


def test_aws_that_fails_is_no_refusal_and_its_page_is_not_shown(operator: Operator):
    put(operator, operator.test_key)
    operator.stack.aws.fail(AwsFault("GetParameterHistory", None, body=b"<!doctype html>\n<h1>Oops</h1>\n", status=500))
    said = operator.fails("secrets", "history", "--stage", "dev")
    assert "AWS failed at GetParameterHistory (HTTP status 500)." in said
    assert "Repeat the command in a minute" in said
    assert "<" not in said
