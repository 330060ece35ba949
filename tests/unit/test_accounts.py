"""Which AWS account a stage belongs to: nothing is changed in another one, and a live stage's has to be named."""

import json

import click
import pytest

from stagectl import accounts
from stagectl.cli import with_commands_of_project
from stagectl.operator_error import PermissionDeniedError
from tests.support.fake_dev import API, KEY, LIVE_KEY, NEW_KEY, FakeDev, client_error
from tests.support.stagectl_run import fail, run

DEV, PROD = "111111111111", "222222222222"
LIVE_PARAMETER = "/stripeSecretKey/live"
CHANGING = (
    ("secrets", "put", "--no-verify"),
    ("secrets", "rotate"),
    ("secrets", "rollback", "--no-verify"),
    ("resources", "up"),
    ("resources", "down", "--yes"),
    ("webhook", "up", "--ask-key"),
    ("webhook", "down", "--yes", "--ask-key"),
    ("deploy", "--skip", "preflight"),
)
ROLLBACK = ("secrets", "rollback", "--no-verify", "--stage", "prod")
NAME_IT = "stagectl stages pin --stage prod --account 111122223333"


@pytest.fixture
def dev(dev: FakeDev) -> FakeDev:
    """A fresh checkout: no stage is pinned. The account stores nothing, and nothing is deployed in it."""
    (dev.folder / ".chalice" / "accounts.json").unlink()
    dev.parameters.clear()
    dev.functions.clear()
    return dev


def pin(stage: str, account: str) -> None:
    accounts.pin(stage, accounts.AccountRegion(account, "us-east-1"))


def pins() -> dict[str, list[str]]:
    return {name: [pin.account, pin.region] for name, pin in accounts.read().items()}


LOOPBACK = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("ssm", "sts", "is_stored"),
    [
        ("https://vpce-1-2.ssm.us-east-1.vpce.amazonaws.com", "https://sts.amazonaws.com", True),
        (LOOPBACK, LOOPBACK, True),  # an emulator, which reports its own account
        (LOOPBACK, "https://sts.amazonaws.com", False),
        ("http://ssm.us-east-1.amazonaws.com", "https://sts.amazonaws.com", False),
        ("https://amazonaws.com.example", "https://sts.amazonaws.com", False),
    ],
)
def test_a_live_key_is_sent_to_the_parameter_store_of_the_account_only(dev: FakeDev, ssm: str, sts: str, is_stored):
    pin("prod", PROD)
    dev.account, dev.endpoints_of_aws = PROD, {"ssm": ssm, "sts": sts}
    put = (*CHANGING[0], "--stage", "prod")
    if is_stored:
        run(dev, *put, stdin=LIVE_KEY)
    else:
        assert "AWS_ENDPOINT_URL_SSM" in fail(dev, *put, stdin=LIVE_KEY).remedy
    assert dev.values(LIVE_PARAMETER) == [LIVE_KEY] * is_stored


def store_two_live_keys(dev: FakeDev) -> None:
    dev.store(LIVE_PARAMETER, LIVE_KEY)
    dev.store(LIVE_PARAMETER, LIVE_KEY + "2")


def commands_on_a_stage() -> set[tuple[str, ...]]:
    root = with_commands_of_project().commands
    commands = {(name,): command for name, command in root.items()}
    groups = {path: command for path, command in commands.items() if isinstance(command, click.Group)}
    commands |= {(*path, name): command for path, group in groups.items() for name, command in group.commands.items()}
    return {path for path, it in commands.items() if any("--stage" in one.opts and one.required for one in it.params)}


# Without the two that show, or change, whose account it is.
@pytest.mark.parametrize(
    "command", sorted(commands_on_a_stage() - {("doctor",), ("stages", "pin")} | {*CHANGING}), ids=" ".join
)
@pytest.mark.parametrize(
    ("account", "region", "remedy"),
    [(DEV, "us-east-1", f"Sign in to {PROD}"), (PROD, "eu-west-1", "--region us-east-1")],
)
def test_with_credentials_of_another_account_or_region_no_command_does_anything(dev, command, account, region, remedy):
    pin("prod", PROD)
    dev.account, dev.region_name = account, region
    assert remedy in fail(dev, *command, "--stage", "prod", stdin=LIVE_KEY).remedy
    assert dev.calls == ["sts.get_caller_identity"]
    assert pins() == {"prod": [PROD, "us-east-1"]}


def test_the_first_change_pins_a_test_stage_and_reading_does_not(dev: FakeDev):
    run(dev, "secrets", "list", "--stage", "dev")
    assert pins() == {}
    run(dev, "secrets", "put", "--stage", "dev", stdin=NEW_KEY)
    assert pins() == {"dev": [DEV, "us-east-1"]}


@pytest.mark.parametrize(
    "command",
    ["secrets put", "secrets rotate", "secrets rollback", "webhook up", "webhook down", "resources down", "deploy"],
)
def test_a_command_that_is_refused_pins_and_changes_nothing(dev: FakeDev, command: str):
    fail(dev, *command.split(), "--stage", "dev", stdin="y")
    assert pins() == {}
    assert {"ssm.put_parameter", "cloudformation.delete_stack"}.isdisjoint(dev.calls)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
@pytest.mark.parametrize("command", CHANGING, ids=" ".join)
def test_a_live_stage_is_pinned_to_no_account_that_was_not_named(dev: FakeDev, command: tuple[str, ...], region: str):
    """Development's account need not show whose it is: in another region it stores nothing."""
    dev.region_name, dev.function_of_apis = region, "notes-billing-prod"
    store_two_live_keys(dev)
    assert fail(dev, *command, "--stage", "prod", stdin=LIVE_KEY).command == NAME_IT
    assert pins() == {}
    assert "ssm.put_parameter" not in dev.calls


@pytest.mark.parametrize(
    ("account", "typed", "remedy"),
    [
        (PROD, PROD, None),
        (PROD, " 2222-2222-2222 ", None),
        (DEV, PROD, f"Sign in to {PROD}"),
        (PROD, "prod", "twelve digits"),
        (PROD, "", "twelve digits"),
    ],
)
def test_at_a_terminal_the_account_of_a_live_stage_is_typed(dev: FakeDev, account: str, typed: str, remedy: str | None):
    dev.account = account
    store_two_live_keys(dev)
    if remedy:
        assert remedy in fail(dev, *ROLLBACK, stdin=typed + "\n", terminal=True).remedy
        assert (pins(), len(dev.values(LIVE_PARAMETER))) == ({}, 2)
    else:
        run(dev, *ROLLBACK, stdin=typed + "\n", terminal=True)
        assert (pins(), len(dev.values(LIVE_PARAMETER))) == ({"prod": [PROD, "us-east-1"]}, 3)


def test_a_pin_that_another_command_makes_during_the_prompt_holds(dev: FakeDev, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stagectl.prompt.account_id", lambda stage: pin(stage, PROD) or DEV)
    store_two_live_keys(dev)
    assert f"pinned to {PROD}" in fail(dev, *ROLLBACK).what
    assert pins() == {"prod": [PROD, "us-east-1"]}


@pytest.mark.parametrize("is_pinned", [True, False], ids=["by its pin", "by its key"])
@pytest.mark.parametrize(
    ("stage", "key", "other", "named"),
    [("prod", LIVE_KEY, "dev", ""), ("dev", NEW_KEY, "prod", f" --account {DEV}")],
)
def test_an_account_of_the_other_mode_is_recognised_and_refused_unless_it_is_named(
    dev: FakeDev, is_pinned: bool, stage: str, key: str, other: str, named: str
):
    parameters = {"prod": LIVE_PARAMETER, "dev": KEY}
    if is_pinned:
        pin(other, DEV)
    else:
        dev.store(parameters[other], "any")
    before, put = pins(), ("secrets", "put", "--no-verify", "--stage", stage)
    for command in (put, ("secrets", "list", "--stage", stage), ("deploy", "--stage", stage)):
        error = fail(dev, *command, stdin=key)
        assert f"is {other}'s" in error.what
        assert error.command == f"stagectl stages pin --stage {stage}{named}"
    fail(dev, "stages", "pin", "--stage", stage)
    assert (pins(), dev.values(parameters[stage])) == (before, [])
    run(dev, "stages", "pin", "--stage", stage, "--account", DEV)
    run(dev, *put, stdin=key)


@pytest.mark.parametrize("stage", ["dev", "prod"])
@pytest.mark.parametrize("command", ["secrets rollback", "resources up", "deploy", "smoke"])
def test_who_may_not_list_parameters_is_not_told_that_there_are_none(dev: FakeDev, stage: str, command: str):
    denied = "User: u is not authorized to perform: ssm:DescribeParameters on resource: *"
    dev.errors["ssm.describe_parameters"] = client_error("AccessDeniedException", denied)
    error = fail(dev, *command.split(), "--stage", stage)
    assert isinstance(error, PermissionDeniedError)
    assert "not allowed to do ssm:DescribeParameters" in error.what
    assert pins() == {}
    dev.errors["ssm.describe_parameters"] = client_error("ThrottlingException")
    with pytest.raises(type(dev.errors["ssm.describe_parameters"])):
        run(dev, *command.split(), "--stage", stage)


def test_pin_takes_the_credentials_account_for_a_test_stage_and_a_named_one_for_any(dev: FakeDev):
    assert fail(dev, "stages", "pin", "--stage", "prod").command == NAME_IT
    for account in ("1234", "22222222222\u0662", "prod", ""):
        assert "account id" in fail(dev, "stages", "pin", "--stage", "prod", "--account", account).what
    assert (pins(), dev.calls) == ({}, [])
    run(dev, "stages", "pin", "--stage", "dev")
    run(dev, "stages", "pin", "--stage", "prod", "--account", PROD)
    assert pins() == {"dev": [DEV, "us-east-1"], "prod": [PROD, "us-east-1"]}
    run(dev, "stages", "pin", "--stage", "prod", stdin="333333333333\n", terminal=True)
    assert pins()["prod"] == ["333333333333", "us-east-1"]


@pytest.mark.parametrize(
    "damage",
    [b"{", b"[]", b'{"dev": {"account": "1"}}', b'{"dev": 5}', b'{"dev": {"account": 5, "region": null}}', b"\xff"],
)
def test_a_damaged_list_of_accounts_stops_every_command(dev: FakeDev, damage: bytes):
    (dev.folder / ".chalice" / "accounts.json").write_bytes(damage)
    error = fail(dev, "secrets", "put", "--stage", "dev", stdin=NEW_KEY)
    assert error.command.splitlines() == ["stagectl stages pin --stage prod", "stagectl stages pin --stage dev"]
    assert dev.values(KEY) == []


def test_a_stage_for_a_branch_uses_devs_secrets_and_resources(dev: FakeDev):
    file = dev.folder / ".chalice" / "config.json"
    run(dev, "secrets", "put", "--stage", "dev", stdin=NEW_KEY)
    assert "stagectl deploy --stage featureX" in run(dev, "stages", "add", "featureX")
    config = file.read_text()
    assert json.loads(config)["stages"]["featureX"]["environment_variables"] == {"STAGE": "featureX"}
    assert "nothing was changed" in run(dev, "stages", "add", "featureX")
    assert file.read_text() == config
    (row,) = (row for row in json.loads(run(dev, "stages", "--json")) if row["stage"] == "featureX")
    assert (row["resources_stage"], row["parameter"], row["version"]) == ("dev", KEY, 1)
    error = fail(dev, "resources", "down", "--stage", "featureX", "--yes")
    assert error.command == "stagectl resources down --stage dev"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Prod", "write 'prod'"),
        ("feature_x", "letters, digits and hyphens"),
        ("1st", "beginning with a letter"),
        ("a b", "letters, digits and hyphens"),
        ("x" * 44, "44 characters"),
        ("dev-notify", f"{API}-notify"),
    ],
)
def test_a_name_that_no_stage_can_have_is_not_declared(dev: FakeDev, name: str, what: str):
    before = (dev.folder / ".chalice" / "config.json").read_text()
    assert what in fail(dev, "stages", "add", name).what
    assert (dev.folder / ".chalice" / "config.json").read_text() == before
    assert fail(dev, "deploy", "--stage", name).command == "stagectl stages add featureX"
    assert dev.calls == []
