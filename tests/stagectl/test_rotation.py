"""`stagectl secrets rotate`: a new key while purchases go on, and when the old one may be revoked."""

import json
import threading
from collections.abc import Iterator

import pytest

from operations.probes import key_version
from tests.support.cloud import Cloud
from tests.support.operator_session import Operator
from tests.support.stack import PURCHASE, TEST_PARAMETER, eventually

PURCHASES = 200
THREADS = 4


class Shop:
    """Customers who buy, one purchase after the other, until :meth:`closes`."""

    def __init__(self, operator: Operator, url: str) -> None:
        self._operator, self._url = operator, url
        self._closed = threading.Event()
        self.answers: list[dict[str, object]] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._buy) for _ in range(THREADS)]

    def __enter__(self) -> "Shop":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def sells(self, count: int) -> bool:
        """Wait until so many purchases were made."""
        return eventually(lambda: len(self.answers) + len(self.failures) >= count)

    def _buy(self) -> None:
        while not self._closed.is_set():
            answer = self._operator.cloud.request(
                "POST", f"{self._url}/billing", self._operator.dev, json=PURCHASE, headers={"Connection": "close"}
            )
            if answer.status_code == 200:
                self.answers.append(answer.json())
            else:
                self.failures.append(answer.text)


class Branches:
    """An operator who has deployed dev and a stage for a branch."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.url = operator.deploys("dev")
        operator.does("stages", "add", "featureX")
        operator.does("deploy", "--stage", "featureX", "--skip", "doctor", "--skip", "smoke", "--skip", "webhook")

    def rotates(self, *more: str) -> tuple[str, str]:
        """Rotate to a new key; return it, and what was said."""
        key = self.operator.issue_key("test")
        return key, self.operator.does("secrets", "rotate", "--stage", "dev", *more, stdin=key)

    def stored(self) -> dict[str, object]:
        ssm = self.operator.dev.client("ssm")
        return dict(ssm.get_parameter(Name=TEST_PARAMETER, WithDecryption=True)["Parameter"])

    def description(self, function: str) -> str:
        found = self.operator.dev.client("lambda").get_function_configuration(FunctionName=function)
        return str(found.get("Description", ""))


@pytest.fixture(scope="session")
def _branches(_running_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Branches:
    return Branches(Operator(_running_cloud, tmp_path_factory.mktemp("rotation")))


@pytest.fixture
def branches(cloud: Cloud, _branches: Branches) -> Iterator[Branches]:
    """Shared by this file's tests: each may find another key, and leaves one that works everywhere."""
    return _branches


def test_no_purchase_fails_while_the_key_is_rotated_and_the_old_one_revoked(branches: Branches):
    operator, stripe = branches.operator, branches.operator.stack.stripe
    old = str(branches.stored()["Value"])
    charged = len(stripe.payment_intents)
    with Shop(operator, branches.url) as shop:
        assert shop.sells(PURCHASES // 4)
        new, said = branches.rotates()
        assert f"The old key (…{old[-4:]}" in said
        assert "is safe to revoke." in said
        stripe.keys.revoke(old)
        revoked_at = len(shop.answers)
        assert shop.sells(max(PURCHASES, revoked_at + PURCHASES // 4))
    assert shop.failures == []
    assert len(shop.answers) >= PURCHASES
    ids = [answer["id"] for answer in shop.answers]
    assert len(set(ids)) == len(ids) == len(stripe.payment_intents) - charged
    assert {answer["status"] for answer in shop.answers} == {"succeeded"}
    assert stripe.requests[-1].key_last4 == new[-4:]


def test_the_functions_of_branches_get_the_new_key_too(branches: Branches):
    _, said = branches.rotates()
    version = branches.stored()["Version"]
    for function in ("notes-billing-dev", "notes-billing-featureX"):
        assert f"{function} uses version {version}." in said
        assert branches.description(function).startswith(f"Stripe key: version {version},")


def test_the_probe_reads_the_version_from_the_line_that_the_app_writes(branches: Branches):
    branches.rotates()
    functions = branches.operator.dev.client("lambda")
    assert key_version(functions, "notes-billing-dev") == branches.stored()["Version"]


def test_rotating_to_the_key_that_is_stored_changes_nothing_and_names_the_old_one(branches: Branches):
    old = str(branches.stored()["Value"])
    key, _ = branches.rotates()
    before = branches.stored()["Version"], branches.description("notes-billing-dev")
    said = branches.operator.does("secrets", "rotate", "--stage", "dev", stdin=key)
    assert "already; nothing was changed." in said
    assert f"The old key (…{old[-4:]}" in said
    assert (branches.stored()["Version"], branches.description("notes-billing-dev")) == before


def test_the_old_key_is_not_safe_while_a_function_cannot_read_the_new_one(branches: Branches):
    operator, key = branches.operator, branches.operator.issue_key("test")
    role = "notes-billing-dev-api_handler"
    iam = operator.dev.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    said = operator.fails("secrets", "rotate", "--stage", "dev", "--wait", "1", stdin=key)
    version = branches.stored()["Version"]
    assert f"notes-billing-dev did not use version {version}, which is stored, within" in said
    assert "Don't revoke the old value." in said
    assert "safe to revoke" not in said
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
    said = operator.does("secrets", "rotate", "--stage", "dev", stdin=key)
    assert f"notes-billing-dev uses version {version}." in said
    assert "is safe to revoke." in said


def test_whoever_may_not_update_functions_is_told_not_to_revoke_the_old_key(branches: Branches):
    operator, key = branches.operator, branches.operator.issue_key("test")
    operator.dev.deny("lambda:UpdateFunctionConfiguration")
    try:
        said = operator.fails("secrets", "rotate", "--stage", "dev", stdin=key)
    finally:
        operator.dev.deny()
    assert "are not allowed to do lambda:UpdateFunctionConfiguration" in said
    assert "The old key may still be in use: don't revoke it yet." in said
    assert "is safe to revoke." in operator.does("secrets", "rotate", "--stage", "dev", stdin=key)


def test_rollback_has_the_functions_use_the_earlier_key_again(branches: Branches):
    good = str(branches.stored()["Value"])
    branches.rotates()
    said = branches.operator.does("secrets", "rollback", "--stage", "dev")
    stored = branches.stored()
    assert stored["Value"] == good
    assert f"notes-billing-dev uses version {stored['Version']}." in said


def test_a_key_of_the_other_mode_or_a_refused_one_ends_a_rotation_before_it_begins(branches: Branches):
    operator, before = branches.operator, branches.stored()["Version"]
    revoked = operator.issue_key("test")
    operator.stack.stripe.keys.revoke(revoked)
    for key, what in ((operator.live_key, "the value is a live key"), (revoked, "Stripe does not accept the key")):
        assert what in operator.fails("secrets", "rotate", "--stage", "dev", stdin=key)
    assert branches.stored()["Version"] == before


def test_what_is_not_stored_cannot_be_rotated_and_the_stage_is_not_pinned(operator: Operator):
    said = operator.fails("secrets", "rotate", "--stage", "prod", stdin=operator.live_key)
    assert "/stripeSecretKey/live is not stored, so there is no key to rotate." in said
    assert "stagectl secrets put --stage prod" in said
    assert not (operator.folder / ".chalice" / "accounts.json").exists()
