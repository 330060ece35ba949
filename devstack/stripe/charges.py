"""Charges, one for each attempt that reaches the card, whether it succeeds or is declined; and the balance."""

from devstack.stripe.account import Object, new_id
from devstack.stripe.calls import Call
from devstack.stripe.cards import Decline
from devstack.stripe.payment_methods import card_details


def create(call: Call, intent: Object, method: Object, decline: Decline | None) -> Object:
    """Charge a card, successfully if ``decline`` is None, and emit the charge's event."""
    paid = decline is None
    card = call.account.cards[method["id"]]
    charge = call.new(
        "charge",
        **{member: intent[member] for member in ("amount", "currency", "description")},
        amount_captured=intent["amount"] if paid else 0,
        amount_refunded=0,
        billing_details=method["billing_details"],
        captured=paid,
        disputed=False,
        fraud_details={},
        metadata=dict(intent["metadata"]),
        outcome=_outcome(decline),
        paid=paid,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"card": card_details(card, intent["amount"]), "type": "card"},
        radar_options={},
        refunded=False,
        status="succeeded" if paid else "failed",
    )
    if decline:
        charge.update(failure_code=decline.code, failure_message=decline.message)
    else:
        charge.update(balance_transaction=new_id("txn"), calculated_statement_descriptor="NOTES")
        charge["receipt_url"] = f"https://pay.stripe.com/receipts/payment/{charge['id']}"
    call.account.add(charge)
    call.emit(f"charge.{charge['status']}", charge)
    return charge


def _outcome(decline: Decline | None) -> Object:
    outcome = {
        **dict.fromkeys(("advice_code", "network_advice_code", "network_decline_code", "reason")),
        "network_status": "approved_by_network",
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


def retrieve_balance(call: Call) -> Object:
    """Handle ``GET /v1/balance``. The emulator keeps no accounts, so the balance is 0."""
    funds = [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]
    return {
        **dict.fromkeys(("connect_reserved", "instant_available", "issuing", "refund_and_dispute_prefunding")),
        "object": "balance",
        "available": funds,
        "livemode": call.account.livemode,
        "pending": funds,
    }
