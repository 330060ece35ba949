"""The remedies of `stagectl doctor`, followed: those that deploy, and the one that changes a policy."""

import json
import re
from typing import Any

import pytest

from tests.support import breakages_of_announcing as announcing
from tests.support.breakages import API, KEY, NOTIFY, ROLE, configured, kms_key, parameter, statements
from tests.support.breakages_of_announcing import STACK, at_once, topic_arn
from tests.support.doctor import follow, problems
from tests.support.operator_session import Operator


def test_a_deploy_repairs_every_difference_from_the_repository(operator_of_dev: Operator):
    differing = at_once(
        configured(Environment={"CORS_ORIGIN": "https://old.example.com"}, Timeout=3),
        configured(NOTIFY, TracingConfig={"Mode": "PassThrough"}, Environment={"BY_HAND": "1"}),
        statements(lambda documents: documents[1:]),
        announcing.closed_to_sns(),
    )
    with differing(operator_of_dev):
        reported = problems(operator_of_dev)
        assert set(reported) == {"environment", "limits", "tracing", "roles", "subscription"}
        (command,) = {verdict.command for verdict in reported.values()}
        follow(operator_of_dev, command)
        assert problems(operator_of_dev) == {}


@pytest.fixture
def deployed_again(operator_of_dev: Operator):
    """An operator who deployed dev, and deploys it again if the test leaves it broken."""
    yield operator_of_dev
    if problems(operator_of_dev):
        operator_of_dev.does("deploy", "--stage", "dev", "--skip", "package", "--skip", "smoke")


def test_a_deploy_restores_what_was_deleted_and_each_cause_has_one_line(deployed_again: Operator):
    account = deployed_again.dev
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    account.client("apigateway").delete_rest_api(restApiId=api["id"])
    reported = problems(deployed_again)
    assert {name: it.text for name, it in reported.items()} == {"deployed": "No REST API calls the function."}
    _delete_role(account)
    reported = problems(deployed_again)
    assert set(reported) == {"deployed", "roles"}
    assert reported["roles"].text == f"The role {ROLE} does not exist, so {API} can't start."
    account.client("lambda").delete_function(FunctionName=NOTIFY)
    reported = problems(deployed_again)
    assert set(reported) == {"deployed", "roles"}
    assert reported["deployed"].text == f"Not deployed: {NOTIFY}."
    account.client("lambda").delete_function(FunctionName=API)
    (verdict,) = problems(deployed_again).values()
    assert verdict.text == f"Not deployed: {API}, {NOTIFY}."
    follow(deployed_again, verdict.command)
    assert problems(deployed_again) == {}


def _delete_role(account: Any) -> None:
    iam = account.client("iam")
    for name in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]:
        iam.delete_role_policy(RoleName=ROLE, PolicyName=name)
    iam.delete_role(RoleName=ROLE)


def test_a_deleted_topic_is_restored_with_its_stack(deployed_again: Operator):
    deployed_again.dev.client("sns").delete_topic(TopicArn=topic_arn(deployed_again))
    reported = problems(deployed_again)
    assert set(reported) == {"topic"}
    assert "no topic NotePurchased-dev: its stack exists, so it was deleted by hand" in reported["topic"].text
    down, up = reported["topic"].command.split(" && ")
    follow(deployed_again, down)
    reported = problems(deployed_again)
    assert set(reported) == {"resources"}  # not the topic and the subscription, which were deleted with it
    assert f"{STACK}, with topic, alarms and dashboard, does not exist" in reported["resources"].text
    assert reported["resources"].command == up == "stagectl deploy --stage dev"
    deployed_again.dev.client("sns").create_topic(Name="NotePurchased-dev")  # by hand, before there was a stack
    reported = problems(deployed_again)
    assert set(reported) == {"resources", "subscription"}  # two causes: that topic has no stack, and no subscriber
    assert "made by hand, and the stack can't be made while it exists" in reported["resources"].remedy
    follow(deployed_again, reported["resources"].command)
    assert problems(deployed_again) == {}


def test_the_reported_statement_is_what_a_kms_key_needs(operator_of_dev: Operator):
    with parameter(KEY, KeyId=kms_key)(operator_of_dev):
        (verdict,) = problems(operator_of_dev).values()
        statement = json.loads(re.findall(r"policy-dev.json, then deploy: ({.*})$", verdict.remedy)[0])
        with statements(lambda others: [*others, statement], in_repository=True)(operator_of_dev):
            assert problems(operator_of_dev) == {}
        condition = statement["Condition"]["StringEquals"]
        bound = condition["kms:EncryptionContext:PARAMETER_ARN"]
        condition["kms:EncryptionContext:PARAMETER_ARN"] = bound.replace("test", "another")
        with statements(lambda others: [*others, statement], in_repository=True)(operator_of_dev):
            assert set(problems(operator_of_dev)) == {"key-readable"}
        # Added already, and not deployed yet: one cause, one line.
        file = operator_of_dev.folder / ".chalice" / "policy-dev.json"
        with announcing.edited(file.name, lambda text: _with(text, statement))(operator_of_dev):
            assert set(problems(operator_of_dev)) == {"roles"}


def _with(policy: str, statement: dict[str, Any]) -> str:
    document = json.loads(policy)
    return json.dumps({**document, "Statement": [*document["Statement"], statement]})
