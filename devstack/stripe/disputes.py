"""Disputes: a cardholder's bank takes a payment back (https://docs.stripe.com/api/disputes)."""

from devstack.stripe import errors
from devstack.stripe.account import Call, Object
from devstack.stripe.ids import new_id

_ANSWERED_WITHIN = 7 * 86400  # seconds; the card networks give 7 to 21 days
_FRAUD = {"visa": "10.4", "mastercard": "4837"}  # the networks' own codes for it
_EVIDENCE = (
    "access_activity_log", "appeal", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def create(call: Call) -> Object:
    """Do what the bank does: dispute all of a payment, as fraudulent. The balance stays as it is.

    :param call: ``id`` is the PaymentIntent's.
    :return: the Dispute. The event that tells is made.
    :raises StripeError: 404, there is no such PaymentIntent; 400, it was not paid, or is disputed already.
    """
    intent = call.account.find("payment_intent", call.id)
    if intent["status"] != "succeeded":
        raise errors.invalid_request(f"This PaymentIntent has no payment to dispute: its status is {intent['status']}.")
    charge = call.account.find("charge", intent["latest_charge"])
    if charge["disputed"]:
        raise errors.invalid_request(f"Charge {charge['id']} is disputed already.", code="charge_disputed")
    charge["disputed"] = True
    dispute = call.account.add(_new(call, charge))
    call.emit("charge.dispute.created", dispute)
    return dispute


def retrieve(call: Call) -> Object:
    """Answer ``GET /v1/disputes/{id}``."""
    return call.account.find("dispute", call.id)


def _new(call: Call, charge: Object) -> Object:
    brand = charge["payment_method_details"]["card"]["brand"]
    code = _FRAUD.get(brand)
    card = {"brand": brand, "case_type": "chargeback", "network": brand, "network_reason_code": code}
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + _ANSWERED_WITHIN,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": False,
        "livemode": call.livemode,
        "metadata": {},
        "network_reason_code": code,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": card, "type": "card"},
        "reason": "fraudulent",
        "status": "needs_response",
    }
