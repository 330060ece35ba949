"""Confirming a PaymentIntent: the card pays, is declined, or requires that the customer authenticates first."""

import copy
from typing import Literal

from devstack.stripe import cards, charges, errors, payment_methods
from devstack.stripe.account import Object, new_id
from devstack.stripe.calls import Call
from devstack.stripe.cards import Decline
from devstack.stripe.errors import StripeError

Outcome = Literal["succeed", "fail"]

_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")

_RETURN_URL_MISSING = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
    "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want "
    "to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)
_ALREADY_SUCCEEDED = (
    "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
)
_METHOD_MISSING = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
    "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method "
    "or ConfirmationToken."
)
_AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this PaymentIntent again."
)


def confirm(call: Call) -> Object:
    """Handle ``POST /v1/payment_intents/{id}/confirm``."""
    intent = call.account.find("payment_intent", call.id)
    status = intent["status"]
    if status not in _CONFIRMABLE:
        message = (
            f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one "
            f"of the following statuses may be confirmed: {', '.join(_CONFIRMABLE)}."
        )
        raise unexpected_state(_ALREADY_SUCCEEDED if status == "succeeded" else message, intent)
    method = payment_methods.choose(call)
    validate(call, intent, method)
    for name in ("receipt_email", "setup_future_usage", "shipping"):
        if name in call.params:
            intent[name] = call.params[name] or None
    attempt(call, intent, method)
    return intent


def unexpected_state(message: str, intent: Object) -> StripeError:
    """Create the error for a call that a PaymentIntent's status does not allow."""
    code = "payment_intent_unexpected_state"
    return errors.invalid_request(message, code=code, payment_intent=copy.deepcopy(intent))


def validate(call: Call, intent: Object, method: Object | None) -> None:
    """Validate a confirmation before anything changes; see :func:`attempt`."""
    if method is None and intent["payment_method"] is None:
        raise unexpected_state(_METHOD_MISSING, intent)
    automatic = intent["automatic_payment_methods"]
    if automatic["enabled"] and automatic["allow_redirects"] != "never" and "return_url" not in call.params:
        raise errors.invalid_request(_RETURN_URL_MISSING, "return_url")


def attempt(call: Call, intent: Object, method: Object | None) -> None:
    """Attempt a payment, and update its PaymentIntent.

    :param method: the call's PaymentMethod; None for the PaymentIntent's own.
    :raises StripeError: 402, the card is declined.
    """
    if method is None:
        method = call.account.find("payment_method", intent["payment_method"])
    intent.update(payment_method=method["id"], last_payment_error=None, next_action=None)
    card = call.account.cards[method["id"]]
    if not (card.authentication or _requests_authentication(call)):
        error = _charge(call, intent, method, card.decline)
    elif call.params.get("off_session", False) not in (False, ""):
        error = _charge(call, intent, method, cards.AUTHENTICATION_REQUIRED)
    elif call.params.get("error_on_requires_action"):
        error = _fail(call, intent, _card_error(cards.AUTHENTICATION_NOT_HANDLED, method))
    else:
        intent.update(status="requires_action", next_action=_next_action(call))
        call.emit("payment_intent.requires_action", intent)
        return
    if error is not None:
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
    call.account.used.add(method["id"])
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


def _requests_authentication(call: Call) -> bool:
    options = call.params.get("payment_method_options", {}).get("card", {})
    return isinstance(options, dict) and options.get("request_three_d_secure") in ("any", "challenge")


def _next_action(call: Call) -> Object:
    source = new_id("payatt", 20)
    url = f"https://hooks.stripe.com/3d_secure_2/hosted?payment_attempt={source}"
    if "return_url" in call.params and not call.params.get("use_stripe_sdk"):
        redirect = {"return_url": call.params["return_url"], "url": url}
        return {"type": "redirect_to_url", "redirect_to_url": redirect}
    sdk = {"type": "three_d_secure_redirect", "source": source, "stripe_js": url}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
