"""A stage's secrets in Parameter Store: what is stored, what is refused, and what is shown of it."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from stagectl.aws.secret import SecretValue
from stagectl.secrets_store import Version
from tests.support.fake_dev import API, KEY, LIVE_KEY, FakeDev, client_error
from tests.support.stagectl_run import fail, run

FIRST, SECOND, THIRD = (f"sk_test_51Habcdefghijkl{number}" for number in ("0001", "0002", "0003"))
PUT, LIST = ("secrets", "put", "--stage", "dev"), ("secrets", "list", "--stage", "dev", "--json")


@pytest.fixture
def dev(dev: FakeDev) -> FakeDev:
    """A stage without secrets, whose functions use every version at once."""
    dev.parameters.clear()
    dev.used_versions = [9]
    return dev


def put(dev: FakeDev, *values: str) -> str:
    """Store values one after the other, and return what the last command printed."""
    return [run(dev, *PUT, stdin=value) for value in values][-1]


@pytest.mark.parametrize(
    ("stage", "value", "what"),
    [
        ("dev", LIVE_KEY, "is a live key, but a test key is required"),
        ("prod", FIRST, "is a test key, but a live key is required"),
        ("dev", "pk_test_51Habcdefghijkl", "is a publishable key"),
        ("dev", "hunter2", "is not a test key"),
        ("dev", f"{FIRST}\n{SECOND}\n", "is not one word"),
        ("dev", f"{FIRST}{' ' * 4096}{SECOND}", "is not one word"),
        ("dev", "sk_test_" + "a" * 4096, "is not one word"),
        ("dev webhook-secret", FIRST, "must begin with whsec_"),
    ],
)
def test_what_is_no_secret_of_the_stage_is_not_stored(dev: FakeDev, stage: str, value: str, what: str):
    run(dev, "stages", "pin", "--stage", stage.split()[0], "--account", dev.account)
    error = fail(dev, "secrets", "put", "--stage", *stage.split(), stdin=value)
    assert what in error.what
    assert value not in str(error)
    assert dev.parameters == {}


@pytest.mark.parametrize("command", [("secrets", "put"), ("secrets", "rotate"), ("webhook", "down", "--ask-key")])
@pytest.mark.parametrize("value", ["", "\ufeff \n"])
def test_a_piped_value_is_read_before_anything_is_called(dev: FakeDev, command: tuple[str, ...], value: str):
    """What prompts for credentials would read it otherwise."""
    assert "is empty" in fail(dev, *command, "--stage", "dev", stdin=value).what
    assert dev.calls == []


def test_a_value_is_encrypted_and_only_its_end_is_shown(dev: FakeDev):
    shown = put(dev, f"\ufeff {FIRST}\n")
    assert [(it["Value"], it["Type"]) for it in dev.parameters[KEY]] == [(FIRST, "SecureString")]
    assert f"{KEY} is version 1 (…0001)" in shown
    assert "version 2 (…0002); it was version 1 (…0001)" in put(dev, SECOND)
    assert "nothing was changed" in put(dev, SECOND)
    assert dev.values() == [FIRST, SECOND]
    assert FIRST not in shown


def test_a_kms_key_is_kept_until_another_is_named(dev: FakeDev):
    put(dev, FIRST)
    run(dev, *PUT, "--kms-key", "alias/own", stdin=FIRST)
    put(dev, FIRST, SECOND)
    run(dev, *PUT, "--kms-key", "alias/aws/ssm", stdin=SECOND)
    assert [it["KeyId"].rpartition("/")[2] for it in dev.parameters[KEY]] == ["ssm", "own", "own", "ssm"]
    run(dev, "secrets", "rollback", "--stage", "dev")
    assert dev.values() == [FIRST, FIRST, SECOND, SECOND, FIRST]


def test_a_parameter_in_plain_text_is_not_replaced(dev: FakeDev):
    dev.store(KEY, FIRST, Type="String")
    assert fail(dev, *PUT, stdin=SECOND).command == f"aws ssm delete-parameter --name {KEY}"
    assert dev.values() == [FIRST]


def test_list_and_history_show_versions_without_values(dev: FakeDev):
    assert fail(dev, "secrets", "history", "--stage", "dev").command == "stagectl secrets put --stage dev stripe-key"
    put(dev, FIRST, SECOND)
    key, webhook = run(dev, *LIST[:-1]).splitlines()[1:]
    assert [word in key for word in (KEY, "…0002", "user/op", "just now")] == [True] * 4
    assert "not stored" in webhook
    current, missing = json.loads(run(dev, *LIST))
    assert (current["version"], current["value"], current["by"]) == (2, "…0002", "arn:aws:iam:::user/op")
    assert missing == {"secret": "webhook-secret", "parameter": "/stripeWebhookSecret/dev"}
    table = run(dev, "secrets", "history", "--stage", "dev")
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [["2", "…0002"], ["1", "…0001"]]
    newest, oldest = json.loads(run(dev, "secrets", "history", "--stage", "dev", "--json"))
    assert set(newest) == {"version", "value", "modified", "by", "kms_key", "description"}
    assert (newest["version"], oldest["version"]) == (2, 1)
    dev.errors["ssm.get_parameter"] = client_error("AccessDeniedException")
    assert [json.loads(run(dev, *LIST))[0][name] for name in ("version", "value")] == [2, "…"]


@pytest.mark.parametrize(
    ("stored", "rollbacks", "expected"),
    [
        ((FIRST, SECOND), ((),), [FIRST, SECOND, FIRST]),
        ((FIRST, SECOND), ((), ()), [FIRST, SECOND, FIRST]),  # repeated after an interruption
        ((FIRST, SECOND, THIRD), ((),), [FIRST, SECOND, THIRD, SECOND]),
        ((FIRST, SECOND, THIRD), (("--to", "1"),), [FIRST, SECOND, THIRD, FIRST]),
        ((FIRST, SECOND), ((), ("--to", "2")), [FIRST, SECOND, FIRST, SECOND]),
        ((), ((),), "no earlier value"),
        ((FIRST,), ((),), "no earlier value"),
        ((FIRST, SECOND), (("--to", "9"),), "no version 9"),
    ],
)
def test_rollback_stores_the_last_other_value_or_the_version_that_is_named(dev: FakeDev, stored, rollbacks, expected):
    for value in stored:
        put(dev, value)
    for options in rollbacks:
        rollback = ("secrets", "rollback", "--stage", "dev", *options)
        if isinstance(expected, str):
            assert expected in fail(dev, *rollback).what
        else:
            dev.functions[API].pop("Description", None)  # its containers are not replaced yet
            run(dev, *rollback)
            assert f"key: version {len(dev.values())}," in dev.functions[API]["Description"]
    assert dev.values() == (expected if isinstance(expected, list) else [*stored])


@pytest.mark.parametrize(
    ("seconds", "shown"), [(119, "just now"), (7199, "119 minutes ago"), (7200, "2 hours ago"), (200000, "2 days ago")]
)
def test_an_age_is_in_the_largest_unit_of_which_there_are_two(seconds: int, shown: str):
    modified = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    assert Version(1, modified, "", "", "", None, None).age == shown


def test_of_a_short_value_nothing_is_shown():
    versions = [Version(1, datetime.now(), "", "", "", None, SecretValue("a" * length)) for length in (12, 13)]
    assert [version.last4 for version in versions] == ["…", "…aaaa"]


def test_a_key_that_stripe_refuses_is_not_stored_unless_it_is_not_asked(dev: FakeDev):
    dev.rejected = {FIRST}
    assert "revoked or mistyped" in fail(dev, *PUT, stdin=FIRST).what
    assert dev.values() == []
    run(dev, *PUT, "--no-verify", stdin=FIRST)
    put(dev, SECOND)
    fail(dev, "secrets", "rollback", "--stage", "dev")
    assert dev.values() == [FIRST, SECOND]
