"""`stagectl doctor` in the emulated cloud: a problem in each service, solved by the command that the doctor shows.

What each check reports is tested without a cloud, in tests/unit/test_doctor.py.
"""

import json
import re
import shlex
from collections.abc import Callable

import pytest

from tests.support.fake_dev import API, KEY, NOTIFY, ROLE
from tests.support.operator_session import Operator

REGION = "us-east-1"
DEPLOY = "stagectl deploy --stage dev"
ALLOW_S3 = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def follow(operator: Operator, command: str, stdin: str = "") -> None:
    """Run a remedy's command, without building the package or charging a card."""
    for step in command.split(" && "):
        program, *arguments = shlex.split(step)
        if program == "aws":
            assert arguments[:2] == ["--region", REGION]
            operator.calls_aws(*arguments[2:])
        else:
            quick = ["--skip", "package", "--skip", "smoke"] if "deploy" in arguments else []
            operator.does(*arguments, *quick, *(["--yes"] if "down" in arguments else []), stdin=stdin)


def topic_of(operator: Operator) -> str:
    return f"arn:aws:sns:{REGION}:{operator.dev.id}:NotePurchased-dev"


def attach_policy(operator: Operator) -> None:
    iam = operator.dev.client("iam")
    arn = iam.create_policy(PolicyName="ByHand", PolicyDocument=json.dumps(ALLOW_S3))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)


def do_not_encrypt_the_topic(operator: Operator) -> None:
    settings = {"AttributeName": "KmsMasterKeyId", "AttributeValue": ""}
    operator.dev.client("sns").set_topic_attributes(TopicArn=topic_of(operator), **settings)


def do_not_encrypt_the_key(operator: Operator) -> None:
    ssm = operator.dev.client("ssm")
    ssm.delete_parameter(Name=KEY)
    ssm.put_parameter(Name=KEY, Value=operator.test_key, Type="String")


def revoke_the_key(operator: Operator) -> None:
    key = operator.issue_key("test")
    operator.does("secrets", "put", "--stage", "dev", stdin=key)
    operator.stack.stripe.keys.revoke(key)


def test_a_stage_that_was_just_deployed_is_healthy(operator_of_dev: Operator):
    assert operator_of_dev.problems() == {}


@pytest.mark.parametrize(
    ("break_", "check"),
    [
        (attach_policy, "roles"),
        (do_not_encrypt_the_topic, "topic"),
        pytest.param(do_not_encrypt_the_key, "key-encrypted", marks=pytest.mark.slow),
        pytest.param(revoke_the_key, "key-accepted", marks=pytest.mark.slow),
    ],
)
def test_the_command_of_a_problems_one_line_solves_it(
    operator_of_dev: Operator, break_: Callable[[Operator], None], check: str
):
    break_(operator_of_dev)
    reported = operator_of_dev.problems()
    assert set(reported) == {check}
    follow(operator_of_dev, reported[check]["command"], stdin=operator_of_dev.issue_key("test"))
    assert operator_of_dev.problems() == {}


@pytest.mark.slow
def test_a_deploy_repairs_every_difference_and_restores_what_was_deleted(operator: Operator):
    operator.deploys("dev")
    functions, iam, gateway = (operator.dev.client(name) for name in ("lambda", "iam", "apigateway"))
    functions.update_function_configuration(FunctionName=API, Timeout=3, Environment={"Variables": {"BY_HAND": "1"}})
    functions.update_function_configuration(FunctionName=NOTIFY, TracingConfig={"Mode": "PassThrough"})
    iam.put_role_policy(RoleName=ROLE, PolicyName=ROLE, PolicyDocument=json.dumps(ALLOW_S3))
    for statement in json.loads(functions.get_policy(FunctionName=NOTIFY)["Policy"])["Statement"]:
        functions.remove_permission(FunctionName=NOTIFY, StatementId=statement["Sid"])
    reported = operator.problems()
    assert set(reported) == {"environment", "limits", "tracing", "roles", "subscription"}
    assert {it["command"] for it in reported.values()} == {DEPLOY}
    follow(operator, DEPLOY)
    assert operator.problems() == {}
    gateway.delete_rest_api(restApiId=gateway.get_rest_apis()["items"][0]["id"])
    iam.delete_role_policy(RoleName=ROLE, PolicyName=ROLE)
    iam.delete_role(RoleName=ROLE)
    assert set(operator.problems()) == {"deployed", "roles"}
    for name in (API, NOTIFY):
        functions.delete_function(FunctionName=name)
    assert set(operator.problems()) == {"deployed"}
    follow(operator, DEPLOY)
    assert operator.problems() == {}


@pytest.mark.slow
def test_a_deleted_topic_is_restored_with_its_stack(operator: Operator):
    operator.deploys("dev")
    operator.dev.client("sns").delete_topic(TopicArn=topic_of(operator))
    reported = operator.problems()
    assert set(reported) == {"topic"}
    down, up = reported["topic"]["command"].split(" && ")
    follow(operator, down)
    assert {check: it["command"] for check, it in operator.problems().items()} == {"resources": up}
    follow(operator, up)
    assert operator.problems() == {}


@pytest.mark.slow
def test_the_reported_statement_is_what_a_kms_key_needs(operator: Operator):
    operator.deploys("dev")
    key = operator.dev.client("kms").create_key()["KeyMetadata"]["Arn"]
    operator.does("secrets", "put", "--stage", "dev", "--kms-key", key, stdin=operator.test_key)
    (verdict,) = operator.problems().values()
    statement = json.loads(re.findall(r"policy-dev.json, then deploy: ({.*})$", verdict["remedy"])[0])
    file = operator.folder / ".chalice" / "policy-dev.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "Statement": [*document["Statement"], statement]}))
    assert set(operator.problems()) == {"roles"}  # added already, and not deployed yet: one cause, one line
    follow(operator, verdict["command"])
    assert operator.problems() == {}
