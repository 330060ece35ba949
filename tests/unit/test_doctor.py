"""`stagectl doctor`: one problem has one line with its command, and no other line changes."""

import json
import re
import sys
from collections.abc import Callable
from itertools import product
from typing import Any
from unittest.mock import MagicMock

import pytest

from chalicelib.config import VARIABLES, load
from stagectl.cli import with_commands_of_project
from stagectl.commands.doctor import CONFIGURATION
from stagectl.doctor import runner
from stagectl.doctor.context import Verdict
from tests import PROJECT
from tests.support.fake_dev import (
    API,
    KEY,
    LIVE_KEY,
    NOTIFY,
    ROLE,
    SIGNING_SECRET,
    STACK,
    STORED_KEY,
    FakeDev,
    client_error,
    endpoint,
)
from tests.support.stagectl_run import invoke

Change = Callable[[FakeDev], Any]
AWS = "aws --region us-east-1"
DEPLOY, UP = "stagectl deploy --stage dev", "stagectl webhook up --stage dev"
PUT, ROTATE = "stagectl secrets put --stage dev", "stagectl secrets rotate --stage dev"
ALL_CHECKS = {**runner.preflight(), **runner.after_deploy()}
NAMES = [*runner.GATES, *ALL_CHECKS]
OTHER_PYTHON = "python3.12" if sys.version_info[:2] != (3, 12) else "python3.13"
KMS_KEY = "arn:aws:kms:us-east-1:111111111111:key/1"


def verdicts(dev: FakeDev, stage: str = "dev") -> dict[str, Verdict]:
    return {it.check: it for it in runner.run(dev.target(stage), ALL_CHECKS)}


def problems(dev: FakeDev) -> dict[str, Verdict]:
    return {name: it for name, it in verdicts(dev).items() if it.level != "ok"}


def changed(**state: Any) -> Change:
    return lambda dev: [setattr(dev, name, value) for name, value in state.items()]


def failing(operation: str, error: Exception) -> Change:
    return lambda dev: dev.errors.update({operation: error})


def configured(function: str = API, **settings: Any) -> Change:
    return lambda dev: dev.functions[function].update(settings)


def variable(function: str, name: str, value: str) -> Change:
    return lambda dev: dev.functions[function]["Environment"]["Variables"].update({name: value})


def stored(name: str, **settings: Any) -> Change:
    return lambda dev: dev.parameters[name][-1].update(settings)


def encrypted_with_kms_key(name: str) -> Change:
    return lambda dev: (stored(name, KeyId=KMS_KEY)(dev), dev.not_allowed.append("kms:Decrypt"))


def edited(file: str, change: Callable[[str], str]) -> Change:
    def apply(dev: FakeDev) -> None:
        path = dev.folder / ".chalice" / file
        path.write_text(change(path.read_text()))

    return apply


def statements(change: Callable[[list[Any]], list[Any]]) -> Change:
    return lambda dev: dev.policies[ROLE].update(Statement=change(dev.policies[ROLE]["Statement"]))


# What is wrong; the mark and the name of its line; a fact in the text; the command, as a regular expression.
CASES: dict[str, tuple[Change, str, str, str]] = {
    "an expired session": (
        failing("sts.get_caller_identity", client_error("ExpiredToken")), "✗ credentials", "expired", "aws sso login"),
    "another account": (changed(account="222222222222"), "✗ account", "222222222222", ""),
    "another region": (
        changed(region_name="eu-west-1"), "✗ region", "eu-west-1", "stagectl --region us-east-1 doctor --stage dev"),
    "not pinned": (edited("accounts.json", lambda _: "{}"), "! account", "", "stagectl stages pin --stage dev"),
    "damaged pins": (
        edited("accounts.json", lambda _: "damaged"),
        "✗ account", "accounts.json", "(?s)stagectl stages pin --stage prod.*"),
    "a variable that nothing reads": (
        edited("config.json", lambda text: text.replace('"STAGE": "dev"', '"STAGE": "dev", "CORS_ORIGINS": "*"')),
        "! variables", "CORS_ORIGINS", DEPLOY),
    "no key": (lambda dev: dev.parameters.pop(KEY), "✗ key-stored", KEY, PUT),
    "a key that is not encrypted": (
        stored(KEY, Type="String"), "✗ key-encrypted", KEY, f"{AWS} ssm delete-parameter --name {KEY} && {PUT}"),
    "a key of the other mode": (stored(KEY, Value=LIVE_KEY), "✗ key-mode", "sk_test_", PUT),
    "a key that the operator cannot decrypt": (
        failing("ssm.get_parameter", client_error("AccessDeniedException")), "! key-mode", "", ""),
    "a revoked key": (changed(rejected={STORED_KEY}), "✗ key-accepted", "", ROTATE),
    "a key that may not charge": (
        changed(permissions={"charges", "webhook_endpoints"}), "✗ key-permissions", "PaymentIntents: Write", ""),
    "a key that may not look up payments": (
        changed(permissions={"payment_intents", "webhook_endpoints"}), "✗ key-permissions", "Charges: Read", ""),
    "a key that may not list endpoints": (
        changed(permissions={"payment_intents", "charges"}),
        "! webhook", "Webhook Endpoints: Write", f"{UP} --ask-key"),
    "no function": (changed(functions={}), "✗ deployed", f"{API}, {NOTIFY}", DEPLOY),
    "no API": (changed(apis=[]), "✗ deployed", "", DEPLOY),
    "a second API": (
        changed(apis=["api1", "api2"]),
        "✗ deployed", "api1.*api2", f"(?s){AWS} apigateway delete-rest-api --rest-api-id api1\n.*api2"),
    "another value of a variable": (
        variable(API, "CORS_ORIGIN", "https://old.example.com"), "✗ environment", f"{API}: CORS_ORIGIN", DEPLOY),
    "a variable by hand": (variable(NOTIFY, "BY_HAND", "1"), "✗ environment", f"{NOTIFY}: BY_HAND", DEPLOY),
    "a key in a variable": (
        variable(API, "STRIPE_KEY", "sk_test_byhand"),
        "✗ environment-secrets", f"{API}: STRIPE_KEY", f"{ROTATE} && {DEPLOY}"),
    "a signing secret in a variable": (
        variable(API, "CORS_ORIGIN", "whsec_byhand"),
        "✗ environment-secrets", "CORS_ORIGIN", f"stagectl webhook down --stage dev && {DEPLOY}"),
    "another timeout": (configured(Timeout=3), "✗ limits", f"{API}'s timeout is 3 s", DEPLOY),
    "another memory size": (configured(NOTIFY, MemorySize=128), "✗ limits", f"{NOTIFY}'s memory is 128 MB", DEPLOY),
    "another Python": (
        configured(Runtime=OTHER_PYTHON),
        "! limits", OTHER_PYTHON, f"make clean setup PYTHON=python3[0-9.]+\n{DEPLOY}"),
    "no tracing": (configured(TracingConfig={"Mode": "PassThrough"}), "✗ tracing", API, DEPLOY),
    "no role": (lambda dev: dev.trust.pop(ROLE), "✗ roles", ROLE, DEPLOY),
    "an attached policy": (
        changed(attached=["ByHand"]),
        "✗ roles", "ByHand", f"{AWS} iam detach-role-policy --role-name {ROLE} --policy-arn .*/ByHand"),
    "another inline policy": (
        changed(extra_policies=["ByHand"]),
        "✗ roles", "ByHand", f"{AWS} iam delete-role-policy --role-name {ROLE} --policy-name ByHand"),
    "a statement too many": (
        statements(lambda old: [*old, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]),
        "✗ roles", r"not in policy-dev.json: Allow s3:\* on \*", DEPLOY),
    "a statement too few": (
        statements(lambda old: [it for it in old if it["Action"] != "ssm:GetParameter"]),
        "✗ roles", "lacks .*: Allow ssm:GetParameter", DEPLOY),
    "a wider resource": (
        statements(lambda old: [{**it, "Resource": "*"} for it in old]), "✗ roles", "Allow ssm:GetParameter", DEPLOY),
    "others may assume the role": (
        lambda dev: dev.trust[ROLE]["Statement"].append({"Effect": "Allow", "Principal": "*", "Action": "sts:*"}),
        "✗ roles", ROLE, f"{AWS} iam update-assume-role-policy --role-name {ROLE} --policy-document '.*"),
    "a broken policy file": (
        edited("policy-dev-notify.json", lambda text: text + "}"),
        "✗ roles", "policy-dev-notify.json", "git diff .chalice/policy-dev-notify.json"),
    "a role that may not read, with the policy of the repository": (
        changed(not_allowed=["ssm:GetParameter"]),
        "✗ key-readable", f"{KEY}, .*{SIGNING_SECRET}", f"{AWS} iam simulate-principal-policy .*{KEY}"),
    "a KMS key that the role may not use": (
        encrypted_with_kms_key(SIGNING_SECRET), "✗ key-readable", KMS_KEY, DEPLOY),
    "a failed update of the stack": (
        changed(stack_status="UPDATE_FAILED"), "✗ resources", "UPDATE_FAILED", "stagectl resources up --stage dev"),
    "a failed rollback of the stack": (
        changed(stack_status="UPDATE_ROLLBACK_FAILED"),
        "✗ resources", "ROLLBACK_FAILED", f"{AWS} .* continue-update-rollback --stack-name {STACK} && .* up .*"),
    "no stack": (changed(stack_status=None, topic=None), "✗ resources", STACK, DEPLOY),
    "a topic that was made by hand": (
        changed(stack_status=None), "✗ resources", STACK, f"{AWS} sns delete-topic --topic-arn .* && {DEPLOY}"),
    "a topic that was deleted by hand": (
        changed(topic=None), "✗ topic", "NotePurchased-dev", f"stagectl resources down --stage dev && {DEPLOY}"),
    "a topic that is not encrypted": (
        changed(topic={}), "! topic", "", f"{AWS} sns set-topic-attributes .* --attribute-value alias/aws/sns"),
    "no subscription": (changed(subscribed=[]), "✗ subscription", NOTIFY, DEPLOY),
    "a function that SNS may not invoke": (changed(invokers=[]), "✗ subscription", NOTIFY, DEPLOY),
    "a function that another service may invoke": (
        changed(invokers=["events.amazonaws.com"]), "✗ subscription", NOTIFY, DEPLOY),
    "no endpoint": (changed(endpoints=[]), "✗ webhook", "", UP),
    "a disabled endpoint": (changed(endpoints=[endpoint("we_1", status="disabled")]), "✗ webhook", "we_1", UP),
    "an endpoint with another address": (
        changed(endpoints=[endpoint("we_1", url="https://old.example.com/stripe/webhook")]),
        "✗ webhook", "https://old.example.com.* not at https://api1", UP),
    "an endpoint with too few events": (
        changed(endpoints=[endpoint("we_1", enabled_events=["charge.refunded"])]),
        "✗ webhook", "payment_intent.succeeded", UP),
    "two endpoints": (changed(endpoints=[endpoint("we_2"), endpoint("we_1")]), "! webhook", "we_2, we_1", UP),
    "no signing secret": (lambda dev: dev.parameters.pop(SIGNING_SECRET), "✗ webhook-secret", SIGNING_SECRET, UP),
    "a signing secret that is not encrypted": (
        stored(SIGNING_SECRET, Type="String"),
        "✗ webhook-secret", "String", f"{AWS} ssm delete-parameter --name {SIGNING_SECRET} && {UP}"),
    "another endpoint's signing secret": (
        stored(SIGNING_SECRET, Description="Signing secret of the webhook endpoint we_2"), "✗ webhook-secret", "", UP),
    "a signing secret that was stored by hand": (stored(SIGNING_SECRET, Description=""), "! webhook-secret", "", UP),
    "the default throughput": (
        changed(high_throughput="false"),
        "! throughput", "40 reads per second", f"{AWS} ssm update-service-setting .* --setting-value true"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_problem_has_one_line_with_its_command(dev: FakeDev, case: tuple[Change, str, str, str]):
    change, line, fact, expected = case
    change(dev)
    (verdict,) = problems(dev).values()
    assert f"{'✗' if verdict.level == 'fail' else '!'} {verdict.check}" == line
    assert re.search(fact, verdict.text), verdict.text
    assert re.fullmatch(expected, verdict.command), verdict.command
    assert verdict.command or verdict.remedy


def test_every_check_has_a_case_and_a_healthy_stage_has_only_good_lines(dev: FakeDev):
    found = verdicts(dev)
    assert list(found) == NAMES
    assert {it.level for it in found.values()} == {"ok"}
    assert {case[1].split()[1] for case in CASES.values()} == set(found) - {"placeholders"}  # of live stages


def test_a_live_stage_with_the_examples_settings_gets_a_warning(dev: FakeDev):
    edited("accounts.json", lambda text: text.replace("dev", "prod"))(dev)
    warning = verdicts(dev, "prod")["placeholders"]
    assert (warning.level, warning.command) == ("warn", "stagectl deploy --stage prod")
    assert "ADMIN_PHONE and CORS_ORIGIN" in warning.text


def test_the_check_of_a_kms_key_names_the_statement_that_the_policy_needs(dev: FakeDev):
    encrypted_with_kms_key(KEY)(dev)
    statement = json.loads(problems(dev)["key-readable"].remedy.partition("then deploy: ")[2])
    assert (statement["Action"], statement["Resource"]) == ("kms:Decrypt", KMS_KEY)
    bound = statement["Condition"]["StringEquals"]["kms:EncryptionContext:PARAMETER_ARN"]
    assert bound.endswith(f":parameter{KEY}")


def test_a_cause_that_two_checks_share_has_one_line(dev: FakeDev):
    """The role lacks the statement, so the simulator denies the action too."""
    CASES["a statement too few"][0](dev)
    dev.not_allowed = ["ssm:GetParameter"]
    assert set(problems(dev)) == {"roles"}
    dev.trust.pop(ROLE)
    dev.apis.clear()
    assert set(problems(dev)) == {"deployed", "roles"}


@pytest.mark.parametrize(
    ("check", "operation"),
    [
        ("key-stored", "ssm.describe_parameters"),
        *product(["deployed"], ["lambda.get_function_configuration", "apigateway.get_rest_apis"]),
        *product(["roles"], ["iam.get_role", "iam.list_attached_role_policies", "iam.list_role_policies"]),
        ("key-readable", "iam.simulate_principal_policy"),
        ("resources", "cloudformation.describe_stacks"),
        ("topic", "sns.get_topic_attributes"),
        *product(["subscription"], ["sns.list_subscriptions_by_topic", "lambda.get_policy"]),
        ("throughput", "ssm.get_service_setting"),
    ],
)
def test_a_missing_permission_of_the_operator_is_one_warning(dev: FakeDev, check: str, operation: str):
    dev.errors[operation] = client_error("AccessDenied", "User: op is not authorized to perform: service:Action")
    reported = [it for it in verdicts(dev).values() if "service:Action" in it.text]
    assert [(it.check, it.level) for it in reported] == [(check, "warn")]


def test_an_unreachable_service_is_a_failure_of_the_check_and_the_others_are_made(dev: FakeDev):
    dev.errors["sns.list_subscriptions_by_topic"] = client_error("InternalError")
    assert {name: it.level for name, it in problems(dev).items()} == {"subscription": "fail"}


def doctor(dev: FakeDev, *options: str) -> tuple[int, str]:
    return invoke(dev, "doctor", "--stage", "dev", *options)


def test_each_check_has_a_line_in_order_with_the_remedy_beneath_and_a_warning_is_no_failure(dev: FakeDev):
    dev.high_throughput = "false"
    code, output = doctor(dev)
    lines = re.findall(r"^(\S) (\S+) +\S.*$", output, re.MULTILINE)
    assert [name for _, name in lines] == NAMES
    assert [name for mark, name in lines if mark != "✓"] == ["throughput"]
    assert output.splitlines()[-1].startswith("    aws --region us-east-1 ssm update-service-setting")
    assert code == 0
    code, output = doctor(dev, "--json")
    checks = [vars(it) for it in runner.run(dev.target(), ALL_CHECKS)]
    assert (json.loads(output), code) == ({"stage": "dev", "ok": True, "checks": checks}, 0)


def test_a_failure_sets_the_exit_code(dev: FakeDev):
    dev.rejected = {STORED_KEY}
    code, output = doctor(dev)
    assert code == 1
    assert re.search(r"^✗ key-accepted .*\n    .*\n    stagectl secrets rotate --stage dev$", output, re.MULTILINE)
    code, output = doctor(dev, "--json")
    assert (json.loads(output)["ok"], code) == (False, 1)


def test_a_chosen_profile_is_in_the_commands(dev: FakeDev):
    dev.functions[API]["Timeout"], dev.high_throughput, dev.profile = 3, "false", "night shift"
    _, output = doctor(dev, "--json")
    commands = {it["check"]: it["command"] for it in json.loads(output)["checks"]}
    assert commands["limits"] == "stagectl --profile 'night shift' deploy --stage dev"
    assert "aws --profile 'night shift' --region us-east-1 ssm" in commands["throughput"]


def test_an_invalid_config_json_stops_every_other_check(dev: FakeDev):
    file = dev.folder / ".chalice" / "config.json"
    file.write_text(file.read_text().replace("+14151234567", "sk_test_inthefile"))
    verdict = _only_line(*doctor(dev, "--json"))
    assert "environment_variables.ADMIN_PHONE" in verdict["text"]
    assert "sk_test_" not in verdict["text"]
    assert verdict["command"] == "stagectl secrets put --stage dev"


@pytest.mark.parametrize(
    ("options", "variables", "fact"),
    [
        ((), {"STRIPE_API_BASE": "http://stripe.example.com"}, "STRIPE_API_BASE"),
        (("--profile", "nobody"), {"AWS_CONFIG_FILE": "/dev/null"}, "nobody"),
    ],
    ids=["a variable of the shell", "a profile"],
)
def test_so_does_an_invalid_setting_of_the_shell(dev: FakeDev, capsys, monkeypatch, options, variables, fact: str):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = [*options, "--region", "us-east-1", "doctor", "--stage", "dev", "--json"]
    code = with_commands_of_project().main(arguments, prog_name="stagectl", standalone_mode=False)
    assert fact in _only_line(code, capsys.readouterr().out)["text"]


def _only_line(code: int, output: str) -> Any:
    report = json.loads(output)
    (verdict,) = report["checks"]
    assert (verdict["check"], report["ok"], code) == (CONFIGURATION, False, 1)
    assert verdict["remedy"]
    return verdict


def test_the_page_has_every_line_of_the_doctor():
    page = (PROJECT / "docs" / "doctor.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == [CONFIGURATION, *NAMES]


def test_the_variables_that_may_be_set_are_those_that_the_app_reads():
    environment = MagicMock()  # without any variable
    environment.get.side_effect = {}.get
    load(environment)
    names = {call.args[0] for call in environment.get.mock_calls + environment.__contains__.mock_calls}
    set_by_lambda_or_chalice = {"_HANDLER", "AWS_CHALICE_CLI_MODE", "AWS_XRAY_DAEMON_ADDRESS"}
    assert names - set_by_lambda_or_chalice == VARIABLES
