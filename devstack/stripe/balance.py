"""The balance: charges minus refunds (https://docs.stripe.com/api/balance). The emulator has no fees or payouts."""

from collections import Counter
from typing import Any

from devstack.stripe.account import Object
from devstack.stripe.calls import Call


def retrieve(call: Call) -> Object:
    """Handle ``GET /v1/balance``. All money stays pending."""
    pending: Counter[str] = Counter(usd=0)
    for charge in call.account.tables["charge"].values():
        pending[charge["currency"]] += charge["amount_captured"] - charge["amount_refunded"]
    return {
        **dict.fromkeys(("connect_reserved", "instant_available", "issuing", "refund_and_dispute_prefunding")),
        "object": "balance",
        "available": [_funds(currency, 0) for currency in pending],
        "livemode": call.account.livemode,
        "pending": [_funds(currency, amount) for currency, amount in pending.items()],
    }


def _funds(currency: str, amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
