"""`stagectl secrets rotate` while purchases go on. Its decisions are tested in tests/unit/test_rotate.py."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from operations.probes import key_version
from tests.support.fake_dev import API
from tests.support.operator_session import Operator
from tests.support.stack import PURCHASE, eventually

pytestmark = pytest.mark.slow

BEFORE, AFTER = 15, 25  # purchases, of two customers


def test_no_purchase_fails_while_the_key_is_rotated_and_the_old_one_revoked(operator: Operator):
    stripe, url, new = operator.stack.stripe, operator.deploys("dev"), operator.issue_key("test")
    charged, is_closed = len(stripe.payment_intents), threading.Event()
    payments: list[Any] = []
    failures: list[str] = []

    def buy() -> None:
        while not is_closed.is_set():
            headers = {"Connection": "close"}
            response = operator.cloud.request("POST", f"{url}/billing", operator.dev, json=PURCHASE, headers=headers)
            if response.status_code == 200:
                payments.append(response.json())
            else:
                failures.append(response.text)

    def wait_for(count: int) -> bool:
        return eventually(lambda: len(payments) >= count or bool(failures))

    with ThreadPoolExecutor(2) as customers:
        for _ in range(2):
            customers.submit(buy)
        try:
            assert wait_for(BEFORE)
            said = operator.does("secrets", "rotate", "--stage", "dev", stdin=new)
            assert f"(…{operator.test_key[-4:]}, version 1) is safe to revoke." in said
            stripe.keys.revoke(operator.test_key)
            assert wait_for(len(payments) + AFTER)
        finally:
            is_closed.set()
    assert key_version(operator.dev.client("lambda"), API) == 2
    assert failures == []
    ids = [payment["id"] for payment in payments]
    assert len(set(ids)) == len(ids) == len(stripe.payment_intents) - charged
    assert {payment["status"] for payment in payments} == {"succeeded"}
    assert stripe.requests[-1].key_last4 == new[-4:]
