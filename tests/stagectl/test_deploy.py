"""`stagectl deploy`: from nothing to purchases, in two accounts, as often as one likes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.fake_dev import ROLE
from tests.support.operator_session import Operator
from tests.support.stack import PURCHASE, eventually

QUICK = ("deploy", "--stage", "dev", "--skip", "package", "--skip", "webhook")


def buys(operator: Operator, stage: str, url: str) -> bool:
    """Buy, and wait for the admin's text."""
    body = {**PURCHASE, "source": "tok_live_visa"} if stage == "prod" else PURCHASE
    response = operator.cloud.request("POST", f"{url}/billing", operator.account_of(stage), json=body)
    assert response.status_code == 200, response.text
    payment = response.json()
    assert payment["status"] == "succeeded"
    return eventually(lambda: any(payment["id"] in text for text in operator.stack.texts()))


def apis(operator: Operator, stage: str) -> list[str]:
    return [api["id"] for api in operator.account_of(stage).client("apigateway").get_rest_apis()["items"]]


def test_on_a_deployed_stage_a_purchase_is_charged_and_texted_and_smoke_leaves_nothing_behind(
    operator_of_dev: Operator,
):
    assert buys(operator_of_dev, "dev", operator_of_dev.url_of("dev"))
    smoke = json.loads(operator_of_dev.does("smoke", "--stage", "dev", "--json"))
    assert smoke["ok"]
    assert [probe["probe"] for probe in smoke["probes"]][-2:] == ["purchase", "announced"]
    account = operator_of_dev.dev
    assert account.client("sqs").list_queues().get("QueueUrls", []) == []
    subscriptions = account.client("sns").list_subscriptions()["Subscriptions"]
    assert {subscription["Protocol"] for subscription in subscriptions} == {"lambda"}
    assert operator_of_dev.cloud.internet.refused == []


@pytest.mark.slow
def test_from_an_empty_account_to_a_purchase_in_production_which_smoke_charges_nothing(operator: Operator):
    url = operator.deploys("prod")
    assert not [request for request in operator.stack.stripe.requests if request.path == "/v1/payment_intents"]
    assert buys(operator, "prod", url)


@pytest.mark.slow
def test_a_profile_goes_before_the_environments_keys_in_every_step(operator: Operator, tmp_path: Path):
    operator.pins("prod")
    operator.does("secrets", "put", "--stage", "prod", stdin=operator.live_key)
    keys = {name.lower(): value for name, value in operator.prod.environment().items() if "KEY" in name}
    profile = "\n".join(f"{name} = {value}" for name, value in keys.items())
    (tmp_path / "credentials").write_text(f"[production]\n{profile}\n")
    file = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    operator.does("--profile", "production", "deploy", "--stage", "prod", account=operator.dev, **file)
    assert operator.dev.client("iam").list_roles()["Roles"] == apis(operator, "dev") == []
    assert len(apis(operator, "prod")) == 1


@pytest.mark.slow
def test_deploying_again_from_another_checkout_changes_nothing(operator_of_dev: Operator):
    before, secrets = apis(operator_of_dev, "dev"), operator_of_dev.does("secrets", "list", "--stage", "dev", "--json")
    shutil.rmtree(operator_of_dev.folder / ".chalice" / "deployed")  # which git ignores, so another checkout has none
    said = operator_of_dev.does("deploy", "--stage", "dev")
    assert said.count("nothing was changed") == 2  # resources and webhook
    assert apis(operator_of_dev, "dev") == before
    assert operator_of_dev.does("secrets", "list", "--stage", "dev", "--json") == secrets


@pytest.mark.slow
def test_a_policy_that_a_deploy_does_not_remove_ends_it_with_exit_code_1(operator_of_dev: Operator):
    iam = operator_of_dev.dev.client("iam")
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName=ROLE, PolicyName="ByHand", PolicyDocument=document)
    try:
        said = operator_of_dev.fails(*QUICK)
    finally:
        iam.delete_role_policy(RoleName=ROLE, PolicyName="ByHand")
    assert "ByHand" in said
    assert "smoke:" not in said


@pytest.mark.slow
def test_a_route_that_anybody_may_call_ends_a_deploy_with_exit_code_1(operator: Operator):
    app = operator.folder / "app.py"
    without_authorizer = app.read_text().replace("authorizer=iam", "authorizer=None")
    app.write_text(without_authorizer.replace("_caller(request)", "'anybody'"))
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    said = operator.fails("deploy", "--stage", "dev")
    assert "✗ unsigned purchase" in said
