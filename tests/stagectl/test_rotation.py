"""`stagectl secrets rotate` while purchases go on. Its decisions are tested in tests/unit/test_rotate.py."""

import threading

import pytest

from operations.probes import key_version
from tests.support.fake_dev import API
from tests.support.operator_session import Operator
from tests.support.stack import PURCHASE, eventually

pytestmark = pytest.mark.slow

BEFORE, AFTER = 15, 25  # purchases, of two customers


class Shop:
    """Customers who buy, one purchase after the other, until the end of a `with` block."""

    def __init__(self, operator: Operator, url: str) -> None:
        self._operator, self._url = operator, url
        self._closed = threading.Event()
        self.payments: list[dict[str, object]] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._buy) for _ in range(2)]

    def __enter__(self) -> "Shop":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def sells(self, count: int) -> bool:
        """Wait for more purchases."""
        target = len(self.payments) + count
        return eventually(lambda: len(self.payments) >= target or bool(self.failures))

    def _buy(self) -> None:
        while not self._closed.is_set():
            headers = {"Connection": "close"}
            response = self._operator.cloud.request(
                "POST", f"{self._url}/billing", self._operator.dev, json=PURCHASE, headers=headers
            )
            if response.status_code == 200:
                self.payments.append(response.json())
            else:
                self.failures.append(response.text)


def test_no_purchase_fails_while_the_key_is_rotated_and_the_old_one_revoked(operator: Operator):
    stripe, url, new = operator.stack.stripe, operator.deploys("dev"), operator.issue_key("test")
    charged = len(stripe.payment_intents)
    with Shop(operator, url) as shop:
        assert shop.sells(BEFORE)
        said = operator.does("secrets", "rotate", "--stage", "dev", stdin=new)
        assert f"(…{operator.test_key[-4:]}, version 1) is safe to revoke." in said
        stripe.keys.revoke(operator.test_key)
        assert shop.sells(AFTER)
    assert key_version(operator.dev.client("lambda"), API) == 2
    assert shop.failures == []
    ids = [payment["id"] for payment in shop.payments]
    assert len(set(ids)) == len(ids) == len(stripe.payment_intents) - charged
    assert {payment["status"] for payment in shop.payments} == {"succeeded"}
    assert stripe.requests[-1].key_last4 == new[-4:]
