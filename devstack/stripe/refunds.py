"""Refunds (https://docs.stripe.com/api/refunds)."""

from devstack.stripe import currencies, errors, lists, metadata
from devstack.stripe.account import Call, Object
from devstack.stripe.ids import new_id

_UNUSED = (
    "customer", "customer_account", "description", "failure_balance_transaction", "failure_reason",
    "instructions_email", "next_action", "pending_reason", "presentment_details", "receipt_number",
    "source_transfer_reversal", "transfer_reversal",
)  # fmt: skip


def check_create(params: Object) -> None:
    """Check what the types do not say about a refund's parameters.

    :raises StripeError: 400.
    """
    metadata.merged({}, params)
    given = [name for name in ("charge", "payment_intent") if name in params]
    if not given:
        raise errors.invalid_request(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    if len(given) > 1:
        raise errors.exclusive_parameters(given)
    if params.get("amount", 1) < 1:
        raise errors.invalid_request("Invalid positive integer", "amount", "parameter_invalid_integer")


def create(call: Call) -> Object:
    """Answer ``POST /v1/refunds``.

    :raises StripeError: 400, there is nothing to refund, or not that much.
    """
    charge = _charge(call)
    if charge["refunded"]:
        raise errors.invalid_request(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if charge["disputed"]:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise errors.invalid_request(message, code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    amount = call.params.get("amount", left)
    if amount > left:
        asked, rest = (currencies.shown(value, charge["currency"]) for value in (amount, left))
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
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


def retrieve(call: Call) -> Object:
    """Answer ``GET /v1/refunds/{id}``."""
    return call.account.find("refund", call.id)


def list_all(call: Call) -> Object:
    """Answer ``GET /v1/refunds``."""
    wanted = {name: call.params[name] for name in ("charge", "payment_intent") if name in call.params}
    return lists.page(call, "refund", lambda refund: all(refund[name] == value for name, value in wanted.items()))


def _charge(call: Call) -> Object:
    params, account = call.params, call.account
    if "charge" in params:
        charge = account.find("charge", params["charge"], "charge", 400)
    else:
        intent = account.find("payment_intent", params["payment_intent"], "payment_intent", 400)
        if intent["latest_charge"] is None:
            raise _nothing_to_refund(intent["id"])
        charge = account.find("charge", intent["latest_charge"])
    if not charge["paid"]:
        raise _nothing_to_refund(charge["payment_intent"])
    return charge


def _nothing_to_refund(name: str) -> errors.StripeError:
    return errors.invalid_request(f"This PaymentIntent ({name}) does not have a successful charge to refund.")


def _new(call: Call, charge: Object, amount: int) -> Object:
    return {
        "id": new_id("re"),
        "object": "refund",
        **dict.fromkeys(_UNUSED),
        "amount": amount,
        "balance_transaction": new_id("txn"),
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": metadata.merged({}, call.params),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": call.params.get("reason"),
        "status": "succeeded",
    }
