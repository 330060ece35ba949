"""PaymentMethods, created from the test name in a call."""

from devstack.stripe import cards, errors
from devstack.stripe.account import Object
from devstack.stripe.calls import Call
from devstack.stripe.cards import Card

# By the prefix of a test name: Stripe's label in an error, and the parameter with the name.
_LABELS = {"tok": "token", "ctoken": "ConfirmationToken", "pm": "PaymentMethod"}
_PARAMS = {"tok": "payment_method_data[card][token]", "ctoken": "confirmation_token", "pm": "payment_method"}
_USED_UP = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


WAYS = {"payment_method", "payment_method_data", "confirmation_token"}
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def validate(params: Object) -> None:
    """Validate that a call has at most one way to pay, and that it is a card."""
    errors.reject_exclusive(params, *WAYS)
    if data := params.get("payment_method_data"):
        if data["type"] != "card":
            raise errors.invalid_request(
                f'The payment method type "{data["type"]}" is invalid. Please ensure the provided type is activated in '
                "your dashboard (https://dashboard.stripe.com/account/payments/settings) and your account is enabled "
                "for any preview features that you are trying to use.",
                "payment_method_data[type]",
            )
        if "card" not in data:
            raise errors.missing_parameter("payment_method_data[card]")
        if unsupported := sorted(data.keys() - {"type", "card"}):
            raise errors.invalid_request(
                "This emulator supports only type and card.", f"payment_method_data[{unsupported[0]}]"
            )


def choose(call: Call) -> Object:
    """Return the PaymentMethod of a call: a new one for a test name. One that exists has been used."""
    params = call.params
    if data := params.get("payment_method_data"):
        return _new(call, "tok", data["card"]["token"])
    if name := params.get("confirmation_token"):
        return _new(call, "ctoken", name)
    name = params["payment_method"]
    if any(cards.find_card(name, "pm", livemode) for livemode in (False, True)):
        return _new(call, "pm", name)
    call.account.find("payment_method", name, "payment_method")
    raise errors.invalid_request(_USED_UP, "payment_method")


def _new(call: Call, kind: str, name: str) -> Object:
    livemode = call.account.livemode
    card = cards.find_card(name, kind, livemode)
    if card is None:
        exists_in_live = (not livemode) if cards.find_card(name, kind, not livemode) else None
        raise errors.no_such(_LABELS[kind], name, _PARAMS[kind], exists_in_live=exists_in_live)
    details = {
        **_details(card),
        "display_brand": "visa",
        "generated_from": None,
        "networks": {"available": ["visa"], "preferred": None},
        "three_d_secure_usage": {"supported": True},
    }
    method = call.new(
        "payment_method",
        allow_redisplay="unspecified",
        billing_details={"address": dict.fromkeys(_ADDRESS), **dict.fromkeys(("email", "name", "phone", "tax_id"))},
        card=details,
        metadata={},
        radar_options={},
        type="card",
    )
    call.account.cards[method["id"]] = card
    return call.account.add(method)


def card_details(card: Card, amount: int) -> Object:
    """Return the card's details in a charge of an amount."""
    unused = ("authorization_code", "installments", "mandate", "network_transaction_id", "three_d_secure")
    unavailable = ("extended_authorization", "incremental_authorization", "multicapture")
    return {
        **_details(card),
        **dict.fromkeys(unused),
        "amount_authorized": amount,
        "network": "visa",
        "network_token": {"used": False},
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        **{name: {"status": "unavailable"} for name in unavailable},
    }


def _details(card: Card) -> Object:
    return {
        "brand": "visa",
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"fingerprint{card.last4}",
        "funding": "credit",
        "last4": card.last4,
        "regulated_status": "unregulated",
        "wallet": None,
    }
