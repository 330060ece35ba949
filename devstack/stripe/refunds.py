"""Refunds (https://docs.stripe.com/api/refunds)."""

from devstack.stripe import currencies, errors, metadata
from devstack.stripe.account import Object, new_id
from devstack.stripe.calls import Call


def validate_create(params: Object) -> None:
    """Validate a new refund's parameters beyond their types."""
    metadata.merge({}, params)
    errors.reject_exclusive(params, "charge", "payment_intent")
    if not {"charge", "payment_intent"} & set(params):
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise errors.invalid_request(message)
    if params.get("amount", 1) < 1:
        raise errors.invalid_request("Invalid positive integer", "amount", "parameter_invalid_integer")


def create(call: Call) -> Object:
    """Handle ``POST /v1/refunds``."""
    charge = _charge(call)
    if charge["refunded"]:
        message = f"Charge {charge['id']} has already been refunded."
        raise errors.invalid_request(message, code="charge_already_refunded")
    if charge["disputed"]:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise errors.invalid_request(message, code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    amount = call.params.get("amount", left)
    if amount > left:
        requested, rest = (currencies.format_amount(value, charge["currency"]) for value in (amount, left))
        message = f"Refund amount ({requested}) is greater than unrefunded amount on charge ({rest})"
        raise errors.invalid_request(message, "amount")
    refund = call.account.add(_new(call, charge, amount))
    previous = {"amount_refunded": charge["amount_refunded"]}
    charge["amount_refunded"] += amount
    if charge["amount_refunded"] == charge["amount"]:
        previous["refunded"] = False
        charge["refunded"] = True
    call.emit("charge.refunded", charge, previous)
    call.emit("refund.created", refund)
    return refund


def _charge(call: Call) -> Object:
    params, account = call.params, call.account
    charge: Object | None
    if "charge" in params:
        charge = account.find("charge", params["charge"], "charge")
        intent_id = charge["payment_intent"]
    else:
        intent_id = params["payment_intent"]
        intent = account.find("payment_intent", intent_id, "payment_intent")
        charge = account.tables["charge"].get(intent["latest_charge"])
    if charge is None or not charge["paid"]:
        raise errors.invalid_request(f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.")
    return charge


def _new(call: Call, charge: Object, amount: int) -> Object:
    return call.new(
        "refund",
        **{name: charge[name] for name in ("currency", "payment_intent", "payment_method")},
        amount=amount,
        balance_transaction=new_id("txn"),
        charge=charge["id"],
        destination_details={"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        metadata=metadata.merge({}, call.params),
        reason=call.params.get("reason"),
        status="succeeded",
    )
