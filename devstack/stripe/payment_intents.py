"""PaymentIntents (https://docs.stripe.com/api/payment_intents), confirmed when they are created."""

from devstack.stripe import confirmations, currencies, errors, metadata, payment_methods
from devstack.stripe.account import Object, new_id
from devstack.stripe.calls import Call

_CANCELABLE = ("requires_payment_method", "requires_action", "processing")
_SUPPORTED = {
    "amount", "automatic_payment_methods", "confirm", "confirmation_token", "currency", "description", "expand",
    "metadata", "payment_method", "payment_method_data", "use_stripe_sdk",
}  # fmt: skip
_REDIRECTS = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
    "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want "
    "to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)
_METHOD_MISSING = "You cannot confirm this PaymentIntent because it's missing a payment method."


def validate_create(params: Object) -> None:
    """Validate a new PaymentIntent's parameters beyond their types."""
    currencies.validate(params["amount"], params["currency"])
    payment_methods.validate(params)
    metadata.merge({}, params)
    if unsupported := sorted(params.keys() - _SUPPORTED):
        raise errors.invalid_request(f"This emulator does not support `{unsupported[0]}`.", unsupported[0])
    if not params.get("confirm"):
        raise errors.invalid_request("This emulator supports only `confirm` true.", "confirm")
    if params.get("automatic_payment_methods", {}).get("allow_redirects") != "never":
        raise errors.invalid_request(_REDIRECTS, "return_url")
    if not params.keys() & payment_methods.WAYS:
        raise errors.invalid_request(_METHOD_MISSING, code=confirmations.UNEXPECTED_STATE)


def create(call: Call) -> Object:
    """Handle ``POST /v1/payment_intents``."""
    method = payment_methods.choose(call)
    intent = call.account.add(_new(call, method))
    call.emit("payment_intent.created", intent)
    confirmations.attempt(call, intent, method)
    return intent


def cancel(call: Call) -> Object:
    """Handle ``POST /v1/payment_intents/{id}/cancel``."""
    intent = call.account.find("payment_intent", call.id)
    if intent["status"] not in _CANCELABLE:
        raise confirmations.unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}.",
            intent,
        )
    reason = call.params.get("cancellation_reason")
    intent.update(
        status="canceled", canceled_at=call.now, cancellation_reason=reason, next_action=None, processing=None
    )
    call.emit("payment_intent.canceled", intent)
    return intent


def _new(call: Call, method: Object) -> Object:
    params = call.params
    card_options = dict.fromkeys(("installments", "mandate_options", "network"))
    intent = call.new(
        "payment_intent",
        description=params.get("description"),
        amount=params["amount"],
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        automatic_payment_methods={"enabled": True, "allow_redirects": "never"},
        capture_method="automatic_async",
        confirmation_method="automatic",
        currency=params["currency"].lower(),
        metadata=metadata.merge({}, params),
        payment_method=method["id"],
        payment_method_options={"card": {**card_options, "request_three_d_secure": "automatic"}},
        payment_method_types=["card"],
        status="requires_confirmation",
    )
    intent["client_secret"] = new_id(f"{intent['id']}_secret", 25)
    return intent
