"""What a payment may be made with, by name: Stripe's test names, and the stand-in's own where Stripe has none.

Test mode, Stripe's names (https://docs.stripe.com/testing): ``pm_card_`` or ``tok_`` and one of

- ``visa``, ``visa_debit``, ``mastercard``, ``mastercard_debit``, ``mastercard_prepaid``, ``amex``, ``discover``,
  ``diners``, ``jcb``, ``unionpay``: the payment succeeds;
- ``chargeDeclined``, ``chargeDeclinedInsufficientFunds``, ``…LostCard``, ``…StolenCard``, ``…ExpiredCard``,
  ``…IncorrectCvc``, ``…ProcessingError``, ``…Fraudulent``, ``…VelocityLimitExceeded``, ``chargeCustomerFail``,
  ``radarBlock``: the card says no. All of them also after ``visa_``, as Stripe spells some of them;
- ``authenticationRequired``, ``authenticationRequiredOnSetup``, ``threeDSecure2Required``, ``threeDSecureRequired``:
  the customer must authenticate first; ``authenticationRequiredChargeDeclinedInsufficientFunds`` and
  ``threeDSecureRequiredChargeDeclined``: the card says no after that; ``threeDSecureOptional``: need not.

The stand-in's own names, since Stripe has no public ones: ``ctoken_`` and one of the above for a ConfirmationToken;
``processing``: the payment is ``processing``, without a charge, until
:meth:`devstack.stripe.server.StripeServer.settle_payment` says what becomes of it. In live mode no test name works, as
at Stripe; there it is ``pm_live_``, ``tok_live_`` and ``ctoken_live_`` and one of the above, such as ``pm_live_visa``
and ``tok_live_chargeDeclined``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """What a card that says no says: Stripe's code, its decline code where it has one, and words for a person."""

    code: str
    decline_code: str | None
    message: str
    param: str | None = None


@dataclass(frozen=True)
class Card:
    """A card, as much of it as a payment needs to know."""

    brand: str
    last4: str
    funding: str = "credit"
    decline: Decline | None = None
    authentication: bool = False
    processing: bool = False


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", decline_code, message)


AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
AUTHENTICATION_NOT_HANDLED = Decline(
    "authentication_required",
    "authentication_not_handled",
    "Your card was declined. This transaction requires authentication.",
)

GENERIC = _declined("generic_decline")
_FRAUDULENT = _declined("fraudulent")
_INSUFFICIENT_FUNDS = _declined("insufficient_funds", "Your card has insufficient funds.")
_TOO_OFTEN = "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."

_BRANDS = {
    "visa": Card("visa", "4242"),
    "visa_debit": Card("visa", "5556", "debit"),
    "mastercard": Card("mastercard", "4444"),
    "mastercard_debit": Card("mastercard", "8210", "debit"),
    "mastercard_prepaid": Card("mastercard", "5100", "prepaid"),
    "amex": Card("amex", "8431"),
    "discover": Card("discover", "1117"),
    "diners": Card("diners", "0004"),
    "jcb": Card("jcb", "0505"),
    "unionpay": Card("unionpay", "0005"),
}
# Last four digits, as of the test numbers that Stripe publishes beside the names.
_DECLINES = {
    "chargeDeclined": ("0002", GENERIC),
    "chargeDeclinedInsufficientFunds": ("9995", _INSUFFICIENT_FUNDS),
    "chargeDeclinedLostCard": ("9987", _declined("lost_card")),
    "chargeDeclinedStolenCard": ("9979", _declined("stolen_card")),
    "chargeDeclinedExpiredCard": (
        "0069",
        Decline("expired_card", None, "Your card has expired.", "exp_month"),
    ),
    "chargeDeclinedIncorrectCvc": (
        "0127",
        Decline("incorrect_cvc", None, "Your card's security code is incorrect.", "cvc"),
    ),
    "chargeDeclinedProcessingError": (
        "0119",
        Decline(
            "processing_error",
            None,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    "chargeDeclinedFraudulent": ("0019", _FRAUDULENT),
    "chargeDeclinedVelocityLimitExceeded": ("6975", _declined("card_velocity_exceeded", _TOO_OFTEN)),
    "chargeCustomerFail": ("0341", GENERIC),
    "radarBlock": ("0019", _FRAUDULENT),
}
_AUTHENTICATED = {
    "authenticationRequired": Card("visa", "3184", authentication=True),
    "authenticationRequiredOnSetup": Card("visa", "3155", authentication=True),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "visa", "8260", decline=_INSUFFICIENT_FUNDS, authentication=True
    ),
    "threeDSecure2Required": Card("visa", "3220", authentication=True),
    "threeDSecureRequired": Card("visa", "3063", authentication=True),
    "threeDSecureRequiredChargeDeclined": Card("visa", "1629", decline=GENERIC, authentication=True),
    "threeDSecureOptional": Card("visa", "3055"),
}
_DECLINED = {name: Card("visa", last4, decline=decline) for name, (last4, decline) in _DECLINES.items()}
CARDS = {
    **_BRANDS,
    **_DECLINED,
    **{f"visa_{name}": card for name, card in _DECLINED.items()},
    **_AUTHENTICATED,
    "processing": Card("visa", "4242", processing=True),
}

_TEST_PREFIXES = {"pm": "pm_card_", "tok": "tok_", "ctoken": "ctoken_"}


def named(name: str, kind: str, livemode: bool) -> Card | None:
    """Find the card that a name stands for.

    :param name: such as ``pm_card_visa``.
    :param kind: what it must be: ``pm``, ``tok`` or ``ctoken``.
    :param livemode: which mode's names are meant.
    :return: None if that mode has no such name.
    """
    prefix = f"{kind}_live_" if livemode else _TEST_PREFIXES[kind]
    return CARDS.get(name[len(prefix) :]) if name.startswith(prefix) else None
