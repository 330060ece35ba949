"""`stagectl doctor` in the emulated cloud: a problem in each service, solved by the command that the doctor shows.

What each check reports is tested without a cloud, in tests/unit/test_doctor.py.
"""

import json
import re
import shlex

import pytest

from tests.support.fake_dev import API, KEY, NOTIFY, ROLE
from tests.support.operator_session import Operator

AWS, DEPLOY = "aws --region us-east-1", "stagectl deploy --stage dev"
TOPIC = "arn:aws:sns:us-east-1:ACCOUNT:NotePurchased-dev"
ALLOW_S3 = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


def follow(operator: Operator, command: str, stdin: str = "") -> None:
    """Run a remedy's command, without building the package or charging a card."""
    for step in command.replace("ACCOUNT", operator.dev.id).replace("STRIPE_KEY", operator.test_key).split(" && "):
        program, *arguments = shlex.split(step)
        if program == "aws":
            assert step.startswith(AWS)
            operator.calls_aws(*arguments[2:])
        else:
            quick = ["--skip", "package", "--skip", "smoke"] if "deploy" in arguments else []
            operator.does(*arguments, *quick, *(["--yes"] if "down" in arguments else []), stdin=stdin)


def test_a_stage_that_was_just_deployed_is_healthy(operator_of_dev: Operator):
    assert operator_of_dev.problems() == {}


@pytest.mark.parametrize(
    ("check", "cause"),
    [
        (
            "roles",
            f"{AWS} iam create-policy --policy-name ByHand --policy-document '{ALLOW_S3}' && "
            f"{AWS} iam attach-role-policy --role-name {ROLE} --policy-arn arn:aws:iam::ACCOUNT:policy/ByHand",
        ),
        (
            "topic",
            f"{AWS} sns set-topic-attributes --topic-arn {TOPIC} --attribute-name KmsMasterKeyId --attribute-value ''",
        ),
        pytest.param(
            "key-encrypted",
            f"{AWS} ssm delete-parameter --name {KEY} && "
            f"{AWS} ssm put-parameter --name {KEY} --value STRIPE_KEY --type String",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_command_of_a_problems_one_line_solves_it(operator_of_dev: Operator, check: str, cause: str):
    follow(operator_of_dev, cause)
    reported = operator_of_dev.problems()
    assert set(reported) == {check}
    follow(operator_of_dev, reported[check]["command"], stdin=operator_of_dev.test_key)
    assert operator_of_dev.problems() == {}


@pytest.mark.slow
def test_a_deploy_repairs_every_difference_and_restores_what_was_deleted(operator: Operator):
    operator.deploys("dev")
    functions, iam, gateway = (operator.dev.client(name) for name in ("lambda", "iam", "apigateway"))
    functions.update_function_configuration(FunctionName=API, Timeout=3, Environment={"Variables": {"BY_HAND": "1"}})
    functions.update_function_configuration(FunctionName=NOTIFY, TracingConfig={"Mode": "PassThrough"})
    iam.put_role_policy(RoleName=ROLE, PolicyName=ROLE, PolicyDocument=ALLOW_S3)
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
    follow(operator, f"{AWS} sns delete-topic --topic-arn {TOPIC}")
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
