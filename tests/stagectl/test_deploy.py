"""`stagectl deploy`: from nothing to purchases, in two accounts, as often as one likes."""

import json
import shutil

import pytest

from tests.support.operator_session import Operator
from tests.support.stack import PURCHASE, eventually


def is_texted(operator: Operator, payment: str) -> bool:
    return eventually(lambda: any(payment in text for text in operator.stack.texts()))


def test_smoke_buys_on_a_deployed_stage_which_is_texted_and_leaves_nothing_behind(operator_of_dev: Operator):
    smoke = json.loads(operator_of_dev.does("smoke", "--stage", "dev", "--json"))
    assert smoke["ok"]
    assert [probe["probe"] for probe in smoke["probes"]][-2:] == ["purchase", "announced"]
    assert is_texted(operator_of_dev, smoke["probes"][-1]["text"].split()[0])
    account = operator_of_dev.dev
    assert account.client("sqs").list_queues().get("QueueUrls", []) == []
    subscriptions = account.client("sns").list_subscriptions()["Subscriptions"]
    assert {subscription["Protocol"] for subscription in subscriptions} == {"lambda"}
    assert operator_of_dev.cloud.internet.refused == []


@pytest.mark.slow
def test_from_an_empty_account_to_a_purchase_in_production_which_smoke_charges_nothing(operator: Operator):
    url, purchase = operator.deploys("prod"), {**PURCHASE, "source": "tok_live_visa"}
    assert not [request for request in operator.stack.stripe.requests if request.path == "/v1/payment_intents"]
    payment = operator.cloud.request("POST", f"{url}/billing", operator.prod, json=purchase).json()
    assert payment["status"] == "succeeded"
    assert is_texted(operator, payment["id"])


@pytest.mark.slow
def test_deploying_again_from_another_checkout_changes_nothing(operator_of_dev: Operator):
    apis, versions = (
        operator_of_dev.dev.client("apigateway").get_rest_apis,
        ("secrets", "list", "--stage", "dev", "--json"),
    )
    before, secrets = [api["id"] for api in apis()["items"]], operator_of_dev.does(*versions)
    shutil.rmtree(operator_of_dev.folder / ".chalice" / "deployed")  # which git ignores, so another checkout has none
    said = operator_of_dev.does("deploy", "--stage", "dev")
    assert said.count("nothing was changed") == 2  # resources and webhook
    assert [api["id"] for api in apis()["items"]] == before
    assert operator_of_dev.does(*versions) == secrets


@pytest.mark.slow
def test_a_route_that_anybody_may_call_ends_a_deploy_with_exit_code_1(operator: Operator):
    app = operator.folder / "app.py"
    without_authorizer = app.read_text().replace("authorizer=iam", "authorizer=None")
    app.write_text(without_authorizer.replace("_caller(request)", "'anybody'"))
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    said = operator.fails("deploy", "--stage", "dev")
    assert "✗ unsigned purchase" in said
