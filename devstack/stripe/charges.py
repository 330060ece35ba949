"""Charges: each attempt that reached the card, whether it said yes or no."""

from devstack.stripe.account import Call, Object
from devstack.stripe.cards import Card, Decline
from devstack.stripe.ids import new_id
from devstack.stripe.payment_methods import card_details

_CARRIED_OVER = (
    "amount", "application_fee_amount", "currency", "customer", "description", "livemode", "on_behalf_of",
    "receipt_email", "shipping", "statement_descriptor", "statement_descriptor_suffix", "transfer_data",
    "transfer_group",
)  # fmt: skip
_UNUSED = (
    "application", "application_fee", "authorization_code", "failure_balance_transaction", "presentment_details",
    "receipt_number", "review", "source", "source_transfer",
)  # fmt: skip


def retrieve(call: Call) -> Object:
    """Answer ``GET /v1/charges/{id}``."""
    return call.account.find("charge", call.id)


def attempt(call: Call, intent: Object, method: Object, card: Card, decline: Decline | None) -> Object:
    """Charge a card.

    :param intent: the PaymentIntent that is paid.
    :param method: the PaymentMethod, and the card behind it.
    :param decline: why the card says no; None if it says yes.
    :return: the charge, ``succeeded`` or ``failed``. The event that tells is made.
    """
    name = new_id("ch")
    paid = decline is None
    charge = {
        "id": name,
        "object": "charge",
        **{member: intent[member] for member in _CARRIED_OVER},
        **dict.fromkeys(_UNUSED),
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "balance_transaction": new_id("txn") if paid else None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "NOTES" if paid else None,
        "captured": paid,
        "created": call.now,
        "disputed": False,
        "fraud_details": {},
        "metadata": dict(intent["metadata"]),
        **_verdict(decline),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": card_details(card, intent["amount"]), "type": "card"},
        "radar_options": {},
        "receipt_url": f"https://pay.stripe.com/receipts/payment/{name}" if paid else None,
        "refunded": False,
        "status": "succeeded" if paid else "failed",
    }
    call.account.add(charge)
    call.emit(f"charge.{charge['status']}", charge)
    return charge


def _verdict(decline: Decline | None) -> Object:
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
    if decline is None:
        return {"failure_code": None, "failure_message": None, "outcome": outcome}
    declined = {
        **outcome,
        "network_status": "declined_by_network",
        "reason": decline.decline_code or decline.code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
    return {"failure_code": decline.code, "failure_message": decline.message, "outcome": declined}
