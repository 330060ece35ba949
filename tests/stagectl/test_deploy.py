"""`stagectl deploy`: from nothing to purchases, in two accounts, as often as one likes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.operator_session import Operator
from tests.support.stack import PURCHASE, eventually


def buy(operator: Operator, stage: str, url: str):
    body = {**PURCHASE, "source": "tok_live_visa"} if stage == "prod" else PURCHASE
    answer = operator.cloud.request("POST", f"{url}/billing", operator.account_of(stage), json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def apis(operator: Operator, stage: str) -> list[str]:
    return [api["id"] for api in operator.account_of(stage).client("apigateway").get_rest_apis()["items"]]


def made_in(operator: Operator, stage: str) -> list[object]:
    """What there is in a stage's account."""
    account = operator.account_of(stage)
    return [
        *account.client("lambda").list_functions()["Functions"],
        *account.client("apigateway").get_rest_apis()["items"],
        *account.client("sns").list_topics()["Topics"],
        *account.client("iam").list_roles()["Roles"],
        *account.client("cloudformation").list_stacks()["StackSummaries"],
        *account.client("ssm").describe_parameters()["Parameters"],
    ]


def test_from_empty_accounts_to_a_purchase_in_each(operator: Operator):
    for stage in ("dev", "prod"):
        url = operator.deploys(stage)
        payment = buy(operator, stage, url)
        assert payment["status"] == "succeeded"
        texts = operator.stack.texts
        assert eventually(lambda id=payment["id"], texts=texts: any(id in text for text in texts()))
    assert operator.cloud.internet.refused == []


def test_production_is_not_deployed_with_developments_credentials(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    operator.pins("prod")
    operator.does("secrets", "put", "--stage", "prod", stdin=operator.live_key)
    before = made_in(operator, "dev")
    said = operator.fails("deploy", "--stage", "prod", account=operator.dev)
    assert f"The credentials are of account {operator.dev.id}, but prod is pinned to {operator.prod.id}." in said
    assert f"Sign in to {operator.prod.id}" in said
    assert made_in(operator, "dev") == before


def test_nor_from_a_checkout_that_knows_no_accounts_yet(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    (operator.folder / ".chalice" / "accounts.json").unlink()
    before = made_in(operator, "dev")
    for command in (("deploy",), ("secrets", "put"), ("resources", "up"), ("webhook", "up")):
        said = operator.fails(*command, "--stage", "prod", account=operator.dev, stdin=operator.live_key)
        assert f"account {operator.dev.id}, which is dev's: prod requires another account" in said
    assert made_in(operator, "dev") == before


def test_a_profile_goes_before_the_environments_keys_in_every_step(operator: Operator, tmp_path: Path):
    operator.pins("prod")
    operator.does("secrets", "put", "--stage", "prod", stdin=operator.live_key)
    keys = {name.lower(): value for name, value in operator.prod.environment().items() if "KEY" in name}
    profile = "\n".join(f"{name} = {value}" for name, value in keys.items())
    (tmp_path / "credentials").write_text(f"[production]\n{profile}\n")
    file = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    operator.does("--profile", "production", "deploy", "--stage", "prod", account=operator.dev, **file)
    assert made_in(operator, "dev") == []
    assert len(apis(operator, "prod")) == 1


def test_a_stage_that_moved_to_another_account_is_made_there(operator: Operator):
    operator.deploys("dev")
    operator.dev = operator.cloud.account()
    operator.does("stages", "pin", "--stage", "dev")
    operator.deploys("dev")
    assert len(apis(operator, "dev")) == 1


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_without_a_key_nothing_is_made(operator: Operator, stage: str):
    said = operator.fails("deploy", "--stage", stage)
    assert f"stagectl secrets put --stage {stage}" in said
    assert made_in(operator, stage) == []


def test_a_revoked_key_stops_a_deploy_before_anything_is_made(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    operator.stack.stripe.keys.revoke(operator.test_key)
    said = operator.fails("deploy", "--stage", "dev")
    assert "Stripe does not accept the stored key" in said
    assert operator.dev.client("lambda").list_functions()["Functions"] == []
    assert operator.dev.client("cloudformation").list_stacks()["StackSummaries"] == []


def test_a_stage_that_is_not_declared_is_not_deployed(operator: Operator):
    said = operator.fails("deploy", "--stage", "featureX")
    assert "There is no stage 'featureX'" in said
    assert "stagectl stages add" in said


def test_deploying_again_changes_nothing(operator_of_dev: Operator):
    before = apis(operator_of_dev, "dev")
    secrets = operator_of_dev.does("secrets", "list", "--stage", "dev", "--json")
    said = operator_of_dev.does("deploy", "--stage", "dev")
    assert said.count("nothing was changed") == 2  # resources and webhook
    assert apis(operator_of_dev, "dev") == before
    assert operator_of_dev.does("secrets", "list", "--stage", "dev", "--json") == secrets


def test_a_deploy_from_another_checkout_keeps_the_address(operator_of_dev: Operator):
    before = apis(operator_of_dev, "dev")
    shutil.rmtree(operator_of_dev.folder / ".chalice" / "deployed")  # which git ignores, so another checkout has none
    operator_of_dev.does("deploy", "--stage", "dev", "--skip", "smoke")
    assert apis(operator_of_dev, "dev") == before


def test_steps_are_left_out_on_request(operator_of_dev: Operator):
    steps = ("preflight", "resources", "package", "chalice", "webhook", "doctor", "smoke")
    said = operator_of_dev.does("deploy", "--stage", "dev", *(word for step in steps for word in ("--skip", step)))
    assert said.count("skipped") == len(steps)


def test_production_is_asked_but_charged_nothing(operator: Operator):
    operator.deploys("prod")
    operator.stack.stripe.requests.clear()
    smoke = json.loads(operator.does("smoke", "--stage", "prod", "--json"))
    assert [probe["probe"] for probe in smoke["probes"]] == ["health", "quote", "unsigned purchase"]
    assert not [request for request in operator.stack.stripe.requests if request.method == "POST"]


def test_the_smoke_test_leaves_nothing_behind(operator_of_dev: Operator):
    account = operator_of_dev.dev
    smoke = json.loads(operator_of_dev.does("smoke", "--stage", "dev", "--json"))
    assert smoke["ok"]
    assert [probe["probe"] for probe in smoke["probes"]][-2:] == ["purchase", "announced"]
    assert account.client("sqs").list_queues().get("QueueUrls", []) == []
    subscriptions = account.client("sns").list_subscriptions()["Subscriptions"]
    assert {subscription["Protocol"] for subscription in subscriptions} == {"lambda"}


def test_the_smoke_test_notices_what_does_not_work(operator_of_dev: Operator):
    nowhere = "https://nowhere.execute-api.us-east-1.amazonaws.com/api"
    said = operator_of_dev.fails("smoke", "--stage", "dev", "--url", nowhere)
    assert "✗ health" in said


def test_the_smoke_test_notices_that_purchases_are_not_announced(operator_of_dev: Operator):
    operator_of_dev.does("webhook", "down", "--stage", "dev", "--yes")
    said = operator_of_dev.fails("smoke", "--stage", "dev", "--wait", "2")
    assert "✓ purchase" in said
    assert "✗ announced" in said
    assert "stagectl doctor --stage dev" in said
    operator_of_dev.does("webhook", "up", "--stage", "dev")
