"""PaymentIntents (https://docs.stripe.com/api/payment_intents)."""

from devstack.stripe import confirmations, currencies, errors, metadata, payment_methods
from devstack.stripe.account import Object, new_id
from devstack.stripe.calls import Call

_CANCELABLE = (
    "requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing",
)  # fmt: skip
_CONFIRM_ONLY = (
    "confirmation_token", "error_on_requires_action", "mandate", "mandate_data", "off_session", "return_url",
    "use_stripe_sdk",
)  # fmt: skip
_COPIED_FROM_PARAMS = (
    "application_fee_amount", "description", "excluded_payment_method_types", "on_behalf_of", "receipt_email",
    "setup_future_usage", "shipping", "statement_descriptor_suffix", "transfer_data", "transfer_group",
)  # fmt: skip


def validate_create(params: Object) -> None:
    """Validate a new PaymentIntent's parameters beyond their types."""
    currencies.validate(params["amount"], params["currency"])
    payment_methods.validate(params)
    metadata.merge({}, params)
    if not params.get("confirm") and (early := [name for name in _CONFIRM_ONLY if params.get(name)]):
        raise errors.invalid_request(
            f"The parameter `{early[0]}` cannot be passed when creating a PaymentIntent unless `confirm` is set to "
            "true.",
            early[0],
        )
    if params.get("capture_method") == "manual":
        message = "This emulator captures at once. It does not support capture_method manual."
        raise errors.invalid_request(message, "capture_method")
    if "statement_descriptor" in params:
        raise errors.invalid_request(
            "The `statement_descriptor` parameter is not supported for payments by card. Use "
            "`statement_descriptor_suffix` instead.",
            "statement_descriptor",
        )


def create(call: Call) -> Object:
    """Handle ``POST /v1/payment_intents``."""
    if (customer := call.params.get("customer")) is not None:
        raise errors.no_such("customer", customer, "customer")
    method = payment_methods.choose(call)
    intent = _new(call)
    if call.params.get("confirm"):
        confirmations.validate(call, intent, method)
    if method is not None:
        intent.update(payment_method=method["id"], status="requires_confirmation")
    call.account.add(intent)
    call.emit("payment_intent.created", intent)
    if call.params.get("confirm"):
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


def _new(call: Call) -> Object:
    params = call.params
    # Enabled by default since API version 2023-08-16.
    automatic = {"allow_redirects": "always", "enabled": True, **params.get("automatic_payment_methods", {})}
    card_options = dict.fromkeys(("installments", "mandate_options", "network"))
    intent = call.new(
        "payment_intent",
        **{member: params.get(member) for member in _COPIED_FROM_PARAMS},
        amount=params["amount"],
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        automatic_payment_methods=automatic,
        capture_method=params.get("capture_method", "automatic_async"),
        confirmation_method=params.get("confirmation_method", "automatic"),
        currency=params["currency"].lower(),
        metadata=metadata.merge({}, params),
        payment_method_options={"card": {**card_options, "request_three_d_secure": "automatic"}},
        payment_method_types=["card"],
        status="requires_payment_method",
    )
    intent["client_secret"] = new_id(f"{intent['id']}_secret", 25)
    return intent
