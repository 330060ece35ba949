"""Disputes: a cardholder's bank reverses a payment (https://docs.stripe.com/api/disputes)."""

import stripe

from devstack.stripe import errors
from devstack.stripe.account import Object
from devstack.stripe.calls import Call

_RESPONSE_SECONDS = 7 * 86400  # the card networks allow 7 to 21 days
_FRAUD = "10.4"  # Visa's reason code
_EVIDENCE = dict.fromkeys(stripe.Dispute.Evidence.__annotations__)


def create(call: Call) -> Object:
    """Dispute a payment as the bank, and emit the event."""
    intent = call.account.find("payment_intent", call.id)
    if intent["status"] != "succeeded":
        message = f"This PaymentIntent has the status {intent['status']}, so there is no payment to dispute."
        raise errors.invalid_request(message)
    charge = call.account.find("charge", intent["latest_charge"])
    if charge["disputed"]:
        raise errors.invalid_request(f"Charge {charge['id']} is already disputed.", code="charge_disputed")
    charge["disputed"] = True
    dispute = call.account.add(_new(call, charge))
    call.emit("charge.dispute.created", dispute)
    return dispute


def _new(call: Call, charge: Object) -> Object:
    card = {"brand": "visa", "case_type": "chargeback", "network": "visa", "network_reason_code": _FRAUD}
    return call.new(
        "dispute",
        amount=charge["amount"],
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence={**_EVIDENCE, "enhanced_evidence": {}},
        evidence_details={
            "due_by": call.now + _RESPONSE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        is_charge_refundable=False,
        metadata={},
        network_reason_code=_FRAUD,
        payment_intent=charge["payment_intent"],
        payment_method_details={"card": card, "type": "card"},
        reason="fraudulent",
        status="needs_response",
    )
