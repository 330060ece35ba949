"""What `stagectl doctor` says to do, done: remedies that take a deploy, and the one that takes a policy."""

import json
import re
from typing import Any

import pytest

from tests.support import breakages_of_announcing as announcing
from tests.support.breakages import API, KEY, NOTIFY, ROLE, configured, kms_key, parameter, statements
from tests.support.breakages_of_announcing import STACK, at_once, topic_arn
from tests.support.doctor import commands_of, follow, wrong
from tests.support.operator_session import Operator


def test_a_deploy_mends_whatever_differs_from_the_repository(operator_of_dev: Operator):
    differing = at_once(
        configured(Environment={"CORS_ORIGIN": "https://old.example.com"}, Timeout=3),
        configured(NOTIFY, TracingConfig={"Mode": "PassThrough"}, Environment={"BY_HAND": "1"}),
        statements(lambda of: of[1:]),
        announcing.closed_to_sns(),
    )
    with differing(operator_of_dev):
        found = wrong(operator_of_dev)
        assert set(found) == {"environment", "limits", "tracing", "roles", "subscription"}
        (remedy,) = {finding.remedy for finding in found.values()}
        follow(operator_of_dev, remedy)
        assert wrong(operator_of_dev) == {}


@pytest.fixture
def mended(operator_of_dev: Operator):
    """An operator who has deployed dev, and does so again if the test leaves it broken."""
    yield operator_of_dev
    if wrong(operator_of_dev):
        operator_of_dev.does("deploy", "--stage", "dev", "--skip", "package", "--skip", "smoke")


def test_a_deploy_makes_again_what_is_gone_and_each_has_one_line(mended: Operator):
    account = mended.dev
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    account.client("apigateway").delete_rest_api(restApiId=api["id"])
    found = wrong(mended)
    assert {name: it.text for name, it in found.items()} == {"deployed": "No REST API calls the function."}
    _delete_role(account)
    found = wrong(mended)
    assert set(found) == {"deployed", "roles"}
    assert found["roles"].text == f"The role {ROLE} does not exist, so {API} can't start."
    account.client("lambda").delete_function(FunctionName=NOTIFY)
    found = wrong(mended)
    assert set(found) == {"deployed", "roles"}
    assert found["deployed"].text == f"Not deployed: {NOTIFY}."
    account.client("lambda").delete_function(FunctionName=API)
    (finding,) = wrong(mended).values()
    assert finding.text == f"Not deployed: {API}, {NOTIFY}."
    follow(mended, finding.remedy)
    assert wrong(mended) == {}


def _delete_role(account: Any) -> None:
    iam = account.client("iam")
    for name in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]:
        iam.delete_role_policy(RoleName=ROLE, PolicyName=name)
    iam.delete_role(RoleName=ROLE)


def test_a_topic_that_is_gone_is_made_again_with_its_stack(mended: Operator):
    mended.dev.client("sns").delete_topic(TopicArn=topic_arn(mended))
    found = wrong(mended)
    assert set(found) == {"topic"}
    assert "no topic NotePurchased-dev: it was deleted by hand" in found["topic"].text
    down, up = commands_of(found["topic"].remedy)
    follow(mended, down)
    found = wrong(mended)
    assert set(found) == {"resources"}  # not the topic and the subscription, which went with it
    assert f"{STACK}, with topic, alarms and dashboard, does not exist" in found["resources"].text
    assert found["resources"].remedy == up == "stagectl deploy --stage dev"
    mended.dev.client("sns").create_topic(Name="NotePurchased-dev")  # as somebody did before there was a stack
    found = wrong(mended)
    assert set(found) == {"resources", "subscription"}  # two causes: that topic has no stack, and no subscriber
    assert "made by hand, and would be in the way" in found["resources"].remedy
    follow(mended, found["resources"].remedy)
    assert wrong(mended) == {}


def test_the_statement_that_a_kms_key_takes_is_the_one_that_is_told(operator_of_dev: Operator):
    with parameter(KEY, KeyId=kms_key)(operator_of_dev):
        (finding,) = wrong(operator_of_dev).values()
        told = json.loads(re.findall(r"policy-dev.json: ({.*}), then: ", finding.remedy)[0])
        with statements(lambda of: [*of, told], in_repository=True)(operator_of_dev):
            assert wrong(operator_of_dev) == {}
        condition = told["Condition"]["StringEquals"]
        (bound,) = condition["kms:EncryptionContext:PARAMETER_ARN"]
        condition["kms:EncryptionContext:PARAMETER_ARN"] = [bound.replace("test", "another")]
        with statements(lambda of: [*of, told], in_repository=True)(operator_of_dev):
            assert set(wrong(operator_of_dev)) == {"key-readable"}
        # Told already, and not deployed yet: one cause, one line.
        file = operator_of_dev.folder / ".chalice" / "policy-dev.json"
        with announcing.edited(file.name, lambda text: _with(text, told))(operator_of_dev):
            assert set(wrong(operator_of_dev)) == {"roles"}


def _with(policy: str, statement: dict[str, Any]) -> str:
    document = json.loads(policy)
    return json.dumps({**document, "Statement": [*document["Statement"], statement]})
