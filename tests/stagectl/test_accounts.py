"""Whose account and whose prompt it is: operators' credentials, terminals and pipes."""

import json
from typing import Any

import pytest
from moto.core.responses import BaseResponse

from tests.support.operator_session import Operator
from tests.support.stack import LIVE_PARAMETER, TEST_PARAMETER
from tests.support.terminal import Terminal

PUT, CODE = ("secrets", "put", "--stage"), "123456"


@pytest.fixture
def profile(operator: Operator) -> dict[str, str]:
    """Variables of a shell in which the profile ``mfa`` assumes a role of development's account."""
    iam, keys = operator.dev.client("iam"), operator.dev.environment()
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument='{"Statement": []}')["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(everything))
    file = operator.folder / "aws-config"
    file.write_text(
        f"[profile base]\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
        f"[profile mfa]\nrole_arn = {role}\nsource_profile = base\n"
        f"mfa_serial = arn:aws:iam::{operator.dev.id}:mfa/operator\n"
    )
    return {"AWS_CONFIG_FILE": str(file)}


@pytest.fixture
def requests(profile: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The requests that AWS receives: operation, and everything that was sent."""
    seen: list[tuple[str, str]] = []
    call = BaseResponse.call_action

    def call_action(request: BaseResponse) -> Any:
        sent = f"{request.uri} {request.headers} {request.body} {request.querystring}"
        seen.append((request._get_action(), sent))
        return call(request)

    monkeypatch.setattr(BaseResponse, "call_action", call_action)
    return seen


@pytest.mark.parametrize(
    "command", ["secrets put", "secrets rotate", "webhook up --ask-key", "webhook down --yes --ask-key", "stages pin"]
)
def test_without_a_terminal_a_piped_key_goes_to_no_prompt(
    operator: Operator, command: str, requests: list[tuple[str, str]], profile: dict[str, str]
):
    arguments = ("--profile", "mfa", *command.split(), "--stage", "dev")
    said = operator.fails(*arguments, stdin=operator.test_key, **profile)
    assert "MFA code" in said
    assert "no terminal" in said
    assert requests == []


def test_at_a_terminal_the_code_is_typed_and_the_piped_key_is_only_stored(
    operator: Operator, requests: list[tuple[str, str]], profile: dict[str, str]
):
    with Terminal(operator, "--profile", "mfa", *PUT, "dev", piped=operator.test_key, **profile) as terminal:
        terminal.wait_for("MFA code")
        terminal.types(CODE + "\n")
        assert terminal.ends() == 0
    assert [CODE in sent for operation, sent in requests if operation == "AssumeRole"] == [True]
    assert {operation for operation, sent in requests if operator.test_key in sent} == {"PutParameter"}
    assert stored(operator.dev, TEST_PARAMETER) == operator.test_key


def stored(account: Any, parameter: str) -> str:
    return str(account.client("ssm").get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"])


@pytest.mark.slow
def test_a_deploy_uses_the_profile_in_every_step_and_asks_for_the_code_once(
    operator: Operator, requests: list[tuple[str, str]], profile: dict[str, str]
):
    """Chalice runs in a process of its own. The shell's keys, of another account, are not used."""
    skipped = [word for step in ("preflight", "webhook", "doctor", "smoke") for word in ("--skip", step)]
    deploy = ("--profile", "mfa", "deploy", "--stage", "dev", *skipped)
    with Terminal(operator, *deploy, account=operator.prod, **profile) as terminal:
        terminal.wait_for("MFA code")
        terminal.types(CODE + "\n")
        assert terminal.ends() == 0, terminal.shown
    assert [operation for operation, _ in requests].count("AssumeRole") == 1
    functions = [account.client("lambda").list_functions()["Functions"] for account in (operator.dev, operator.prod)]
    assert [len(each) for each in functions] == [2, 0]


def test_developments_credentials_store_no_live_key_in_a_fresh_checkout(operator: Operator):
    said = operator.fails("--region", "eu-west-1", *PUT, "prod", stdin=operator.live_key, account=operator.dev)
    assert "stagectl stages pin --stage prod --account 111122223333" in said
    assert not (operator.folder / ".chalice" / "accounts.json").exists()
    assert operator.dev.client("ssm", "eu-west-1").describe_parameters()["Parameters"] == []
    assert operator.stack.stripe.requests == []


def test_at_a_terminal_the_account_is_typed_before_the_live_key_which_is_not_echoed(operator: Operator):
    with Terminal(operator, *PUT, "prod") as terminal:
        terminal.wait_for("12 digits")
        assert operator.prod.id not in terminal.shown
        terminal.types(operator.prod.id + "\n")
        terminal.wait_for(f"Stripe key for prod (account {operator.prod.id}, us-east-1)")
        terminal.types(operator.live_key + "\n")
        assert terminal.ends() == 0
    assert stored(operator.prod, LIVE_PARAMETER) == operator.live_key
    assert operator.live_key[8:16] not in terminal.shown
    assert f"…{operator.live_key[-4:]}" in terminal.shown


def test_a_key_as_an_argument_is_refused_and_not_repeated(operator: Operator):
    done = operator.run(*PUT, "dev", operator.test_key)
    assert done.returncode == 2
    assert "Revoke it" in done.stderr
    assert operator.test_key not in done.stdout + done.stderr


@pytest.mark.slow
def test_ctrl_c_at_the_prompt_stores_nothing(operator: Operator):
    with Terminal(operator, *PUT, "dev") as terminal:
        terminal.wait_for("Stripe key for dev")
        terminal.types("\x03")
        assert terminal.ends() == 130
    assert "Traceback" not in terminal.shown
    assert operator.dev.client("ssm").describe_parameters()["Parameters"] == []


def test_the_table_of_stages_has_what_the_credentials_may_see(operator_of_dev: Operator):
    operator = operator_of_dev
    prod, dev = json.loads(operator.does("stages", "--json"))
    assert (prod["stage"], prod["mode"], prod["note"]) == ("prod", "live", "not pinned")
    assert (dev["mode"], dev["parameter"], dev["account"]) == ("test", TEST_PARAMETER, operator.dev.id)
    assert dev["url"].startswith("https://")
    (_, others) = json.loads(operator.does("stages", "--json", account=operator.prod))
    assert "other credentials" in others["note"]
    with Terminal(operator, "stages") as terminal:
        assert terminal.ends() == 0
    assert dev["url"] in terminal.shown  # in one piece, so that it can be copied, however narrow the terminal is


@pytest.mark.slow
def test_what_aws_refused_chalice_is_shown_in_a_sentence_without_its_traceback(operator: Operator):
    operator.dev.deny("lambda:CreateFunction")
    operator.does(*PUT, "dev", stdin=operator.test_key)
    said = operator.fails("deploy", "--stage", "dev")
    assert "An error occurred (AccessDenied" in said
    assert "lambda:CreateFunction" in said.rpartition("chalice deploy failed")[2]
