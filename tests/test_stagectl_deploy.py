"""`stagectl deploy`: from nothing to purchases, in two accounts."""

from tests.operator import Operator
from tests.support import PURCHASE


def test_from_empty_accounts_to_a_purchase_in_each(operator: Operator):
    for stage in ("dev", "prod"):
        url = operator.deploys(stage)
        body = {**PURCHASE, "source": "tok_live_visa"} if stage == "prod" else PURCHASE
        answer = operator.cloud.request("POST", f"{url}/billing", operator.account_of(stage), json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "succeeded"
