"""The webhook endpoint at Stripe, and its signing secret in Parameter Store."""

from typing import Any

import pytest
import stripe

from operations import webhook_endpoint
from stagectl import stages
from stagectl.aws.secret import SecretValue
from stagectl.target import Target
from tests import PROJECT
from tests.support.fake_dev import ACCOUNT, REGION, SIGNING_SECRET, URL, FakeDev
from tests.support.operator_session import Operator
from tests.support.stack import Stack


class Stage:
    """The stage dev of an account and region, whose API is deployed at ``url``, with a Stripe account."""

    def __init__(self, stack: Stack, account: str = ACCOUNT, region: str = REGION, url: str = URL) -> None:
        self.url, self.aws = url, FakeDev(PROJECT)
        self.aws.account, self.aws.region_name = account, region
        self.aws.parameters.clear()
        self.target = Target("dev", stages.config_of("dev")._replace(stripe_api_base=stack.stripe.url), self.aws)
        self.key = SecretValue(stack.issue_key())
        self.stripe = stripe.StripeClient(self.key.reveal(), base_addresses={"api": stack.stripe.url})

    def up(self) -> str:
        return webhook_endpoint.up(self.target, self.key, self.url)

    def endpoints(self) -> dict[str, Any]:
        return {it.id: it for it in self.stripe.v1.webhook_endpoints.list({"limit": 100}).data}


@pytest.fixture
def stage(stack: Stack) -> Stage:
    """A stage that is up."""
    stage = Stage(stack)
    for endpoint in stage.endpoints():  # of earlier tests
        stage.stripe.v1.webhook_endpoints.delete(endpoint)
    stage.up()
    return stage


@pytest.mark.parametrize(
    "change",
    [{"disabled": True}, {"url": "https://example.com/stripe/webhook"}, {"enabled_events": ["charge.refunded"]}],
    ids=lambda change: next(iter(change)),
)
def test_up_corrects_an_endpoint_that_was_changed_and_no_other(stage: Stage, change: Any):
    assert "nothing was changed" in stage.up()
    ((id_, before),) = stage.endpoints().items()
    stage.stripe.v1.webhook_endpoints.update(id_, change)
    assert f"{id_} was updated" in stage.up()
    after = stage.endpoints()[id_]
    assert (after.url, after.status) == (f"{URL}/stripe/webhook", "enabled")
    assert sorted(after.enabled_events) == sorted(before.enabled_events)
    assert len(stage.aws.parameters[SIGNING_SECRET]) == 1


@pytest.mark.parametrize("lost", ["deleted", "of another endpoint", "of another API version"])
def test_an_endpoint_whose_secret_is_lost_is_replaced_and_the_old_one_deleted(stage: Stage, lost: str):
    (before,) = stage.endpoints()
    if lost == "deleted":
        stage.aws.parameters.clear()
    elif lost == "of another endpoint":
        stage.aws.store(SIGNING_SECRET, "whsec_0123456789abcdef", Description="Stored with secrets put")
    else:
        old = stage.stripe.v1.webhook_endpoints.create(
            {"url": f"{URL}/stripe/webhook", "enabled_events": ["charge.refunded"], "api_version": "2020-08-27"}
        )
        description = f"Signing secret of the webhook endpoint {old.id}"
        stage.aws.store(SIGNING_SECRET, str(old.secret), Description=description)
    said = stage.up()
    (after,) = stage.endpoints()
    assert after != before
    assert f"{after} was created" in said
    assert f"{before} was deleted" in said
    assert "nothing was changed" in stage.up()


@pytest.mark.parametrize(("account", "region"), [("222222222222", "us-east-1"), (ACCOUNT, "eu-west-1")])
def test_the_same_stage_in_another_account_or_region_keeps_its_own_endpoint(stage: Stage, stack, account, region):
    """Both share an account at Stripe."""
    (own,) = stage.endpoints()
    other = Stage(stack, account, region, "https://other.execute-api.us-east-1.amazonaws.com/api")
    assert "was created" in other.up()
    assert "nothing was changed" in stage.up()
    others = [endpoint for endpoint in stage.endpoints() if endpoint != own]
    assert [webhook_endpoint.down(other.target, other.key) for _ in range(2)] == [others, []]
    assert list(stage.endpoints()) == [own]


def test_another_key_makes_and_deletes_the_endpoint_and_is_not_stored(operator_of_dev: Operator):
    operator, versions = operator_of_dev, ("secrets", "list", "--stage", "dev", "--json")
    key, everything = operator.does(*versions), operator.issue_key("test")
    assert "add --yes" in operator.fails("webhook", "down", "--stage", "dev")
    down = ("webhook", "down", "--stage", "dev", "--yes", "--ask-key")
    assert "Deleted we_" in operator.does(*down, stdin=everything)
    assert "has no webhook endpoint" in operator.does(*down[:-1])
    up = ("webhook", "up", "--stage", "dev", "--ask-key")
    assert "a live key" in operator.fails(*up, stdin=operator.live_key)
    assert "was created" in operator.does(*up, stdin=everything)
    assert operator.does(*versions).partition("webhook-secret")[0] == key.partition("webhook-secret")[0]
