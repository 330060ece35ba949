"""PaymentIntents (https://docs.stripe.com/api/payment_intents)."""

from devstack.stripe import confirmations, currencies, errors, lists, metadata, payment_methods
from devstack.stripe.account import Call, Object
from devstack.stripe.ids import new_id

_CANCELABLE = (
    "requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing",
)  # fmt: skip
_WITH_CONFIRM_ONLY = (
    "confirmation_token", "error_on_requires_action", "mandate", "mandate_data", "off_session", "return_url",
    "use_stripe_sdk",
)  # fmt: skip
_KEPT_AS_GIVEN = (
    "application_fee_amount", "description", "excluded_payment_method_types", "on_behalf_of", "receipt_email",
    "setup_future_usage", "shipping", "statement_descriptor_suffix", "transfer_data", "transfer_group",
)  # fmt: skip
_UNUSED = (
    "allowed_payment_method_types", "application", "canceled_at", "cancellation_reason", "customer",
    "customer_account", "last_payment_error", "latest_charge", "managed_payments", "next_action",
    "payment_record", "presentment_details", "processing", "review", "source", "statement_descriptor",
)  # fmt: skip


def check_create(params: Object) -> None:
    """Check what the types do not say about a PaymentIntent's parameters.

    :raises StripeError: 400.
    """
    currencies.check(params["currency"])
    currencies.check_amount(params["amount"], params["currency"])
    payment_methods.check(params)
    metadata.merged({}, params)
    if not params.get("confirm") and (early := [name for name in _WITH_CONFIRM_ONLY if params.get(name)]):
        raise errors.invalid_request(
            f"The parameter `{early[0]}` cannot be passed when creating a PaymentIntent unless `confirm` is set to "
            "true.",
            early[0],
        )
    if params.get("capture_method") == "manual":
        message = "This stand-in captures at once: it has no capture_method manual."
        raise errors.invalid_request(message, "capture_method")
    if "statement_descriptor" in params:
        raise errors.invalid_request(
            "The `statement_descriptor` parameter is not supported for payments by card. Use "
            "`statement_descriptor_suffix` instead.",
            "statement_descriptor",
        )


def create(call: Call) -> Object:
    """Answer ``POST /v1/payment_intents``.

    :raises StripeError: 400, something it names does not exist, or is missing; 402, the card says no.
    """
    _check_names(call)
    method = payment_methods.chosen(call)
    intent = _new(call)
    if call.params.get("confirm"):
        confirmations.check(call, intent, method)
    if method is not None:
        intent.update(payment_method=method["id"], status="requires_confirmation")
    call.account.add(intent)
    call.emit("payment_intent.created", intent)
    if call.params.get("confirm"):
        confirmations.attempt(call, intent, method)
    return intent


def retrieve(call: Call) -> Object:
    """Answer ``GET /v1/payment_intents/{id}``."""
    return call.account.find("payment_intent", call.id)


def list_all(call: Call) -> Object:
    """Answer ``GET /v1/payment_intents``."""
    customer = call.params.get("customer")
    return lists.page(call, "payment_intent", lambda intent: customer in (None, intent["customer"]))


def cancel(call: Call) -> Object:
    """Answer ``POST /v1/payment_intents/{id}/cancel``.

    :raises StripeError: 400, it is not for this status.
    """
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


def _check_names(call: Call) -> None:
    if (customer := call.params.get("customer")) is not None:
        raise errors.no_such("customer", customer, "customer", status=400)


def _new(call: Call) -> Object:
    params = call.params
    name = new_id("pi")
    # Enabled unless the call says otherwise, as since API version 2023-08-16.
    automatic = {"allow_redirects": "always", "enabled": True, **params.get("automatic_payment_methods", {})}
    card_options = {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    }
    return {
        "id": name,
        "object": "payment_intent",
        **{member: params.get(member) for member in _KEPT_AS_GIVEN},
        **dict.fromkeys(_UNUSED),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": automatic,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": new_id(f"{name}_secret", 25),
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": call.now,
        "currency": params["currency"].lower(),
        "livemode": call.livemode,
        "metadata": metadata.merged({}, params),
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": card_options},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }
