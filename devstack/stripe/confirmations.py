"""Confirming a PaymentIntent: the card pays, is declined, or requires that the customer authenticates first."""

import copy
from typing import Literal

from devstack.stripe import cards, charges, errors
from devstack.stripe.account import Object, new_id
from devstack.stripe.calls import Call
from devstack.stripe.cards import Decline
from devstack.stripe.errors import StripeError

Outcome = Literal["succeed", "fail"]

UNEXPECTED_STATE = "payment_intent_unexpected_state"
_AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this PaymentIntent again."
)


def unexpected_state(message: str, intent: Object) -> StripeError:
    """Create the error for a call that a PaymentIntent's status does not allow."""
    return errors.invalid_request(message, code=UNEXPECTED_STATE, payment_intent=copy.deepcopy(intent))


def attempt(call: Call, intent: Object, method: Object) -> None:
    """Attempt a payment, and update its PaymentIntent; StripeError 402 if the card is declined."""
    card = call.account.cards[method["id"]]
    if card.authentication:
        intent.update(status="requires_action", next_action=_next_action())
        call.emit("payment_intent.requires_action", intent)
    elif error := _charge(call, intent, method, card.decline):
        error.error["payment_intent"] = copy.deepcopy(intent)
        raise error


def authenticate(call: Call, outcome: Outcome) -> Object:
    """Authenticate as the customer; see :meth:`devstack.stripe.emulator.Emulator.authenticate`."""
    intent, method = _find_with_status(call, "requires_action", "does not wait for authentication", outcome)
    if outcome == "succeed":
        _charge(call, intent, method, call.account.cards[method["id"]].decline)
        return intent
    code = "payment_intent_authentication_failure"
    _fail(call, intent, errors.invalid_request(_AUTHENTICATION_FAILED, code=code, payment_method=method))
    return intent


def settle(call: Call, outcome: Outcome) -> Object:
    """End a processing payment as the bank; see :meth:`devstack.stripe.emulator.Emulator.settle_payment`."""
    intent, method = _find_with_status(call, "processing", "is not processing", outcome)
    _charge(call, intent, method, None if outcome == "succeed" else cards.GENERIC)
    return intent


def _find_with_status(call: Call, status: str, otherwise: str, outcome: Outcome) -> tuple[Object, Object]:
    """Return the call's PaymentIntent and its PaymentMethod. The error for another status says ``otherwise``."""
    if outcome not in ("succeed", "fail"):
        raise ValueError(f"outcome is {outcome!r}: it must be 'succeed' or 'fail'.")
    intent = call.account.find("payment_intent", call.id)
    if intent["status"] != status:
        raise unexpected_state(f"This PaymentIntent {otherwise}: its status is {intent['status']}.", intent)
    return intent, call.account.find("payment_method", intent["payment_method"])


def _charge(call: Call, intent: Object, method: Object, decline: Decline | None) -> StripeError | None:
    """Charge the card, and update the PaymentIntent. Return the error if the card is declined."""
    if decline is None and call.account.declining:
        decline = cards.GENERIC
    if call.account.cards[method["id"]].processing and decline is None and intent["status"] != "processing":
        processing = {"card": {"customer_notification": None}, "type": "card"}
        intent.update(status="processing", processing=processing, next_action=None)
        call.emit("payment_intent.processing", intent)
        return None
    intent["processing"] = None
    charge = charges.create(call, intent, method, decline)
    intent["latest_charge"] = charge["id"]
    if decline is not None:
        return _fail(call, intent, _card_error(decline, method, charge["id"]))
    intent.update(status="succeeded", amount_received=intent["amount"], next_action=None)
    call.emit("payment_intent.succeeded", intent)
    return None


def _fail(call: Call, intent: Object, error: StripeError) -> StripeError:
    # As at Stripe, the PaymentIntent loses its PaymentMethod; the error still has it.
    intent.update(status="requires_payment_method", payment_method=None, next_action=None)
    intent["last_payment_error"] = copy.deepcopy(error.error)
    call.emit("payment_intent.payment_failed", intent)
    return error


def _card_error(decline: Decline, method: Object, charge_id: str | None = None) -> StripeError:
    members = {"code": decline.code, "decline_code": decline.decline_code, "param": decline.param, "charge": charge_id}
    return StripeError(402, "card_error", decline.message, None, **members, payment_method=copy.deepcopy(method))


def _next_action() -> Object:
    source = new_id("payatt", 20)
    url = f"https://hooks.stripe.com/3d_secure_2/hosted?payment_attempt={source}"
    sdk = {"type": "three_d_secure_redirect", "source": source, "stripe_js": url}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
