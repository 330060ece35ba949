"""Charges: one for each attempt that reaches the card, whether it succeeds or is declined."""

import stripe

from devstack.stripe.account import Object, nullable_members
from devstack.stripe.calls import Call
from devstack.stripe.cards import Decline
from devstack.stripe.ids import new_id
from devstack.stripe.payment_methods import card_details

_COPIED_FROM_INTENT = (
    "amount", "application_fee_amount", "currency", "customer", "description", "livemode", "on_behalf_of",
    "receipt_email", "shipping", "statement_descriptor", "statement_descriptor_suffix", "transfer_data",
    "transfer_group",
)  # fmt: skip
_NULL = nullable_members(stripe.Charge, "level3", "refunds", "transfer")


def create(call: Call, intent: Object, method: Object, decline: Decline | None) -> Object:
    """Charge a card, and emit the charge's event.

    :param decline: the reason why the card is declined; None if the charge succeeds.
    """
    charge_id = new_id("ch")
    paid = decline is None
    card = call.account.cards[method["id"]]
    charge = {
        **_NULL,
        "id": charge_id,
        "object": "charge",
        **{member: intent[member] for member in _COPIED_FROM_INTENT},
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "balance_transaction": new_id("txn") if paid else None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "NOTES" if paid else None,
        "captured": paid,
        "created": call.now,
        "disputed": False,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "metadata": dict(intent["metadata"]),
        "outcome": _outcome(decline),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": card_details(card, intent["amount"]), "type": "card"},
        "radar_options": {},
        "receipt_url": f"https://pay.stripe.com/receipts/payment/{charge_id}" if paid else None,
        "refunded": False,
        "status": "succeeded" if paid else "failed",
    }
    call.account.add(charge)
    call.emit(f"charge.{charge['status']}", charge)
    return charge


def _outcome(decline: Decline | None) -> Object:
    outcome = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 10,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    if decline is not None:
        outcome |= {
            "network_status": "declined_by_network",
            "reason": decline.decline_code or decline.code,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        }
    return outcome
