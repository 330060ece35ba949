"""Test cards by name: Stripe's own names, and names of the emulator where Stripe has none.

Stripe's names in test mode (https://docs.stripe.com/testing) are ``pm_card_`` or ``tok_`` and a name of the tables
``_CARDS`` and ``_DECLINED``. The emulator adds ``ctoken_`` and one of these names for a ConfirmationToken, and
``processing``: the payment stays ``processing``, without a charge, until
:meth:`devstack.stripe.emulator.Emulator.settle_payment`. As at Stripe, test names do not work in live mode. The
emulator's live names are ``pm_live_``, ``tok_live_`` or ``ctoken_live_`` and one of these names.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """The reason for a declined card: Stripe's error code, its decline code if there is one, and a message."""

    code: str
    decline_code: str | None
    message: str
    param: str | None = None


@dataclass(frozen=True)
class Card:
    """A test card of Visa's: its last four digits, and the result of a payment with it.

    ``authentication``: the customer must authenticate before the card pays or is declined.
    """

    last4: str
    decline: Decline | None = None
    authentication: bool = False
    processing: bool = False


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", decline_code, message)


GENERIC = _declined("generic_decline")
_FRAUDULENT = _declined("fraudulent")
_INSUFFICIENT_FUNDS = _declined("insufficient_funds", "Your card has insufficient funds.")
_EXPIRED = Decline("expired_card", None, "Your card has expired.", "exp_month")
_INCORRECT_CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.", "cvc")
_PROCESSING_ERROR = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)
_TOO_OFTEN = _declined(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)

# The last four digits of the declined cards are those of the test numbers that Stripe publishes with the names.
_DECLINED = {
    "chargeDeclined": Card("0002", decline=GENERIC),
    "chargeDeclinedInsufficientFunds": Card("9995", decline=_INSUFFICIENT_FUNDS),
    "chargeDeclinedLostCard": Card("9987", decline=_declined("lost_card")),
    "chargeDeclinedStolenCard": Card("9979", decline=_declined("stolen_card")),
    "chargeDeclinedExpiredCard": Card("0069", decline=_EXPIRED),
    "chargeDeclinedIncorrectCvc": Card("0127", decline=_INCORRECT_CVC),
    "chargeDeclinedProcessingError": Card("0119", decline=_PROCESSING_ERROR),
    "chargeDeclinedFraudulent": Card("0019", decline=_FRAUDULENT),
    "chargeDeclinedVelocityLimitExceeded": Card("6975", decline=_TOO_OFTEN),
}
_CARDS = {
    "visa": Card("4242"),
    **_DECLINED,
    # Stripe spells some of them with this prefix.
    **{f"visa_{name}": card for name, card in _DECLINED.items()},
    "authenticationRequired": Card("3184", authentication=True),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "8260", decline=_INSUFFICIENT_FUNDS, authentication=True
    ),
    "threeDSecure2Required": Card("3220", authentication=True),
    "threeDSecureRequired": Card("3063", authentication=True),
    "threeDSecureRequiredChargeDeclined": Card("1629", decline=GENERIC, authentication=True),
    "processing": Card("4242", processing=True),
}

_TEST_PREFIXES = {"pm": "pm_card_", "tok": "tok_", "ctoken": "ctoken_"}


def find_card(name: str, kind: str, livemode: bool) -> Card | None:
    """Return the card with a name of the kind ``pm``, ``tok`` or ``ctoken``; None if the mode has no such name."""
    prefix = f"{kind}_live_" if livemode else _TEST_PREFIXES[kind]
    return _CARDS.get(name[len(prefix) :]) if name.startswith(prefix) else None
