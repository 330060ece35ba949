"""`stagectl webhook`: the stage's endpoint at Stripe, and its signing secret."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import stripe

from tests.support.operator_session import Operator
from tests.support.stack import TEST_PARAMETER

SECRET_PARAMETER = "/stripeWebhookSecret/dev"
PAYMENTS_ONLY = ("rak_payment_intent_write", "rak_charge_read")


@dataclass
class Shown:
    """What an operator has in view: the deployed stage, and Stripe's dashboard."""

    operator: Operator

    @property
    def stripe(self) -> Any:
        base = {"api": self.operator.stack.stripe.url}
        return stripe.StripeClient(self.operator.test_key, base_addresses=base).v1.webhook_endpoints

    def endpoints(self) -> list[Any]:
        """Those of this AWS account."""
        found = self.stripe.list({"limit": 100}).data
        return [each for each in found if each.metadata.to_dict().get("account") == self.operator.dev.id]

    def up(self, *more: str, stdin: str = "") -> str:
        return self.operator.does("webhook", "up", "--stage", "dev", *more, stdin=stdin)

    def secret_version(self) -> int:
        ssm = self.operator.dev.client("ssm")
        return int(ssm.get_parameter(Name=SECRET_PARAMETER, WithDecryption=True)["Parameter"]["Version"])


@pytest.fixture
def dev(operator_of_dev: Operator) -> Iterator[Shown]:
    shown = Shown(operator_of_dev)
    shown.up()
    yield shown
    shown.up()


def test_up_again_changes_nothing(dev: Shown):
    (endpoint,) = dev.endpoints()
    version = dev.secret_version()
    assert f"{endpoint.id} points here already; nothing was changed." in dev.up()
    assert [each.id for each in dev.endpoints()] == [endpoint.id]
    assert dev.secret_version() == version


def test_an_endpoint_that_was_disabled_or_moved_or_hears_too_little_is_put_right(dev: Shown):
    (before,) = dev.endpoints()
    version = dev.secret_version()
    for change in (
        {"disabled": True},
        {"url": "https://example.com/stripe/webhook"},
        {"enabled_events": ["charge.refunded"]},
    ):
        dev.stripe.update(before.id, change)
        assert f"{before.id} was updated: enabled" in dev.up()
        (after,) = dev.endpoints()
        assert (after.id, after.url, after.status) == (before.id, before.url, "enabled")
        assert sorted(after.enabled_events) == sorted(before.enabled_events)
    assert dev.secret_version() == version


@pytest.mark.parametrize("lost", ["deleted", "of another endpoint"])
def test_an_endpoint_whose_secret_is_lost_is_replaced_and_the_old_one_deleted(dev: Shown, lost: str):
    (before,) = dev.endpoints()
    if lost == "deleted":
        dev.operator.dev.client("ssm").delete_parameter(Name=SECRET_PARAMETER)
    else:
        dev.operator.does("secrets", "put", "--stage", "dev", "webhook-secret", stdin="whsec_0123456789abcdef")
    said = dev.up()
    (after,) = dev.endpoints()
    assert (
        f"{after.id} was created, and its signing secret is stored. The old endpoint {before.id} was deleted." in said
    )
    assert after.url == before.url
    assert "nothing was changed" in dev.up()


def test_the_endpoint_of_the_same_stage_in_another_aws_account_is_left_alone(dev: Shown):
    (own,) = dev.endpoints()
    marks = {**own.metadata.to_dict(), "account": "111122223333"}
    other = dev.stripe.create({"url": "https://example.com/x", "enabled_events": ["*"], "metadata": marks})
    dev.up()
    dev.operator.does("webhook", "down", "--stage", "dev", "--yes")
    assert dev.endpoints() == []
    assert dev.stripe.retrieve(other.id).status == "enabled"
    dev.stripe.delete(other.id)


def test_down_deletes_the_endpoint_and_again_says_there_is_none(dev: Shown):
    (endpoint,) = dev.endpoints()
    assert "add --yes" in dev.operator.fails("webhook", "down", "--stage", "dev")
    assert [each.id for each in dev.endpoints()] == [endpoint.id]
    assert f"Deleted {endpoint.id}." in dev.operator.does("webhook", "down", "--stage", "dev", "--yes")
    assert "dev has no webhook endpoint." in dev.operator.does("webhook", "down", "--stage", "dev", "--yes")


def test_a_key_that_may_not_manage_endpoints_can_be_replaced_for_this_once(dev: Shown):
    operator, everything = dev.operator, dev.operator.test_key
    operator.does("webhook", "down", "--stage", "dev", "--yes")
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.issue_key("test", PAYMENTS_ONLY))
    try:
        said = operator.fails("webhook", "up", "--stage", "dev")
        assert "The Stripe key lacks the permission to manage webhook endpoints." in said
        assert "stagectl webhook up --stage dev --ask-key" in said
        assert "Webhook Endpoints: Write" in said
        said = operator.fails("deploy", "--stage", "dev", "--skip", "resources", "--skip", "chalice")
        assert "stagectl deploy --stage dev --skip webhook" in said
        assert "the value is a live key" in operator.fails(
            "webhook", "up", "--stage", "dev", "--ask-key", stdin=operator.live_key
        )
        assert "was created" in dev.up("--ask-key", stdin=everything)
        stored = operator.dev.client("ssm").get_parameter(Name=TEST_PARAMETER, WithDecryption=True)["Parameter"]
        assert stored["Value"] != everything
        down = ("webhook", "down", "--stage", "dev", "--yes", "--ask-key")
        assert "Deleted we_" in operator.does(*down, stdin=everything)
    finally:
        operator.does("secrets", "put", "--stage", "dev", stdin=everything)


def test_a_stage_that_is_not_deployed_has_nothing_to_point_at(operator: Operator):
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    said = operator.fails("webhook", "up", "--stage", "dev")
    assert "dev is not deployed." in said
    assert "stagectl deploy --stage dev" in said


def test_smoke_follows_a_purchase_to_the_topic_and_says_what_does_not_arrive(operator_of_dev: Operator):
    said = operator_of_dev.does("smoke", "--stage", "dev")
    for probe in ("health", "quote", "unsigned purchase", "purchase", "announced"):
        assert f"✓ {probe}" in said
    wrong = operator_of_dev.fails("smoke", "--stage", "dev", "--url", "https://nowhere.example.com")
    assert "The API can't be reached" in wrong
