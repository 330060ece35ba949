"""Which AWS account a stage belongs to, and which stages there are."""

import json

import pytest

from tests.support.operator_session import Operator
from tests.support.stack import LIVE_PARAMETER, TEST_PARAMETER
from tests.support.terminal import Terminal

CHANGING = (
    ("secrets", "put"),
    ("secrets", "rotate"),
    ("secrets", "rollback"),
    ("resources", "up"),
    ("resources", "down", "--yes"),
    ("webhook", "up"),
    ("webhook", "down", "--yes"),
    ("deploy",),
)
# What may be asked of an account before it is known to be the right one.
ASKED = {"GetCallerIdentity", "DescribeParameters"}


def pins(operator):
    file = operator.folder / ".chalice" / "accounts.json"
    return json.loads(file.read_text()) if file.exists() else {}


def pin(operator, stage):
    operator.does("stages", "pin", "--stage", stage)


def rows(operator, account=None):
    return {row["stage"]: row for row in json.loads(operator.does("stages", "--json", account=account))}


def test_with_another_accounts_credentials_no_command_makes_anything(operator: Operator):
    pin(operator, "prod")
    before = pins(operator)
    operator.stack.aws.calls.clear()
    operator.stack.stripe.requests.clear()
    for command in CHANGING:
        said = operator.fails(*command, "--stage", "prod", stdin=operator.live_key, account=operator.dev)
        wanted = f"The credentials are of account {operator.dev.id}, but prod is pinned to {operator.prod.id}."
        assert wanted in said, command
        assert f"Sign in to {operator.prod.id}" in said
    assert set(operator.stack.aws.calls) <= ASKED
    assert operator.stack.stripe.requests == []
    assert pins(operator) == before


def test_in_another_region_no_command_makes_anything(operator: Operator):
    pin(operator, "dev")
    operator.stack.aws.calls.clear()
    for command in CHANGING:
        said = operator.fails("--region", "eu-west-1", *command, "--stage", "dev", stdin=operator.test_key)
        assert "The region is eu-west-1, but dev is pinned to us-east-1." in said, command
        assert "--region us-east-1" in said
    assert set(operator.stack.aws.calls) <= ASKED


def test_the_first_change_pins_the_stage_and_reading_does_not(operator: Operator):
    operator.does("secrets", "list", "--stage", "dev")
    assert pins(operator) == {}
    done = operator.run("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    assert f"dev is now pinned to account {operator.dev.id}, us-east-1." in done.stderr
    assert pins(operator) == {"dev": {"account": operator.dev.id, "region": "us-east-1"}}


@pytest.mark.parametrize(
    "command",
    [("secrets", "rollback"), ("webhook", "up"), ("webhook", "down"), ("resources", "down"), ("deploy",)],
    ids=" ".join,
)
def test_what_is_refused_pins_nothing(operator: Operator, command: tuple[str, ...]):
    operator.fails(*command, "--stage", "dev")
    assert pins(operator) == {}


@pytest.mark.parametrize(("stage", "other"), [("prod", "dev"), ("dev", "prod")])
def test_an_account_that_holds_the_other_modes_key_is_the_other_stages(operator: Operator, stage: str, other: str):
    operator.does("secrets", "put", "--stage", other, stdin=operator.live_key if other == "prod" else operator.test_key)
    account = operator.account_of(other)
    for known in (pins(operator), {}):
        (operator.folder / ".chalice" / "accounts.json").write_text(json.dumps(known))
        key = operator.live_key if stage == "prod" else operator.test_key
        said = operator.fails("secrets", "put", "--stage", stage, stdin=key, account=account)
        assert (
            f"The credentials are of account {account.id}, which is {other}'s: {stage} requires another account."
            in said
        )
        assert f"stagectl stages pin --stage {stage}" in said
    ssm = account.client("ssm")
    assert [found["Name"] for found in ssm.describe_parameters()["Parameters"]] == [
        LIVE_PARAMETER if other == "prod" else TEST_PARAMETER
    ]


def test_one_account_for_both_is_possible_when_it_is_said(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    operator.does("stages", "pin", "--stage", "prod", account=operator.dev)
    operator.does("secrets", "put", "--stage", "prod", stdin=operator.live_key, account=operator.dev)


def test_a_stage_can_be_pinned_to_an_account_that_is_named(operator: Operator):
    said = operator.does("stages", "pin", "--stage", "prod", "--account", "111122223333")
    assert "prod is pinned to account 111122223333, us-east-1." in said
    assert "'1234' is not an account id." in operator.fails("stages", "pin", "--stage", "prod", "--account", "1234")
    assert pins(operator) == {"prod": {"account": "111122223333", "region": "us-east-1"}}


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"dev": {"account": "1"}}', '{"dev": 5}', '{"dev": {"account": 5, "region": null}}', "\udcff"],
)
def test_a_damaged_list_of_accounts_stops_every_command(operator: Operator, damage: str):
    (operator.folder / ".chalice" / "accounts.json").write_bytes(damage.encode(errors="surrogateescape"))
    operator.stack.aws.calls.clear()
    said = operator.fails("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    assert ".chalice/accounts.json can't be read" in said
    assert "stagectl stages pin" in said
    assert "PutParameter" not in operator.stack.aws.calls


def test_the_table_of_stages_has_what_the_credentials_may_see(operator_of_dev: Operator):
    operator = operator_of_dev
    found = rows(operator)
    assert list(found) == ["prod", "dev"]
    dev = found["dev"]
    assert (dev["mode"], dev["parameter"], dev["account"]) == ("test", TEST_PARAMETER, operator.dev.id)
    assert dev["url"].startswith("https://")
    assert dev["version"] >= 1
    assert (found["prod"]["mode"], found["prod"]["note"]) == ("live", "not pinned")
    assert "other credentials" in rows(operator, operator.prod)["dev"]["note"]
    table = operator.does("stages")
    assert [line.split()[0] for line in table.splitlines()] == ["STAGE", "prod", "dev"]
    assert dev["url"] in table
    with Terminal(operator, "stages") as terminal:
        assert terminal.ends() == 0
    assert dev["url"] in terminal.shown  # in one piece, so that it can be copied, however narrow the terminal is


def test_a_stage_for_a_branch_uses_devs_key_and_topic(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    assert "featureX is declared; it uses the secrets and resources of dev." in operator.does(
        "stages", "add", "featureX"
    )
    config = (operator.folder / ".chalice" / "config.json").read_text()
    assert "declared already; nothing was changed." in operator.does("stages", "add", "featureX")
    assert (operator.folder / ".chalice" / "config.json").read_text() == config
    row = rows(operator)["featureX"]
    assert (row["resources_stage"], row["parameter"], row["version"]) == ("dev", TEST_PARAMETER, 1)
    assert json.loads(config)["stages"]["featureX"]["environment_variables"] == {"STAGE": "featureX"}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Prod", "write 'prod'"),
        ("feature_x", "letters, digits and hyphens"),
        ("1st", "beginning with a letter"),
        ("a b", "letters, digits and hyphens"),
        ("x" * 44, "The name has 44 characters."),
        ("dev-notify", "would have the name of another stage's: notes-billing-dev-notify."),
    ],
)
def test_a_name_that_can_be_no_stages_is_not_declared(operator: Operator, name: str, what: str):
    before = (operator.folder / ".chalice" / "config.json").read_text()
    assert what in operator.fails("stages", "add", name)
    assert (operator.folder / ".chalice" / "config.json").read_text() == before


def test_a_stage_that_is_not_declared_is_unknown(operator: Operator):
    said = operator.fails("secrets", "put", "--stage", "featureX", stdin=operator.test_key)
    assert "There is no stage 'featureX' in .chalice/config.json, only prod, dev." in said
    assert "stagectl stages add" in said
    assert "There is no stage 'Prod'" in operator.fails("deploy", "--stage", "Prod")


def test_a_profile_decides_whose_account_is_deployed_to_whatever_keys_the_shell_has(operator: Operator):
    prod, file = operator.prod.environment(), operator.folder / "credentials"
    keys = f"aws_access_key_id = {prod['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {prod['AWS_SECRET_ACCESS_KEY']}\n"
    file.write_text("[live]\n" + keys)
    shell = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "account": operator.dev}
    operator.does("--profile", "live", "secrets", "put", "--stage", "prod", stdin=operator.live_key, **shell)
    skipped = [word for step in ("preflight", "webhook", "doctor", "smoke") for word in ("--skip", step)]
    operator.does("--profile", "live", "deploy", "--stage", "prod", *skipped, **shell)
    assert operator.dev.client("lambda").list_functions()["Functions"] == []
    names = {function["FunctionName"] for function in operator.prod.client("lambda").list_functions()["Functions"]}
    assert names == {"notes-billing-prod", "notes-billing-prod-notify"}


def test_what_aws_refused_chalice_is_said_in_a_sentence_without_its_traceback(operator: Operator):
    operator.dev.deny("lambda:CreateFunction")
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    said = operator.fails("deploy", "--stage", "dev")
    assert "chalice deploy failed: An error occurred (AccessDenied" in said
    assert "lambda:CreateFunction" in said.rpartition("chalice deploy failed")[2]
