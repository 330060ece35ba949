"""The account's objects, by type and id. Test mode and live mode each have objects of their own."""

import threading
from typing import Any, get_args

import stripe

from devstack.stripe import errors
from devstack.stripe.cards import Card
from devstack.stripe.ids import new_id

Object = dict[str, Any]

# The API version of the account's events, whichever version a call names: that of the installed stripe-python.
API_VERSION: str = stripe.api_version

# For each type of object: its label in Stripe's "No such ..." message, and the parameter that the message names.
_LABELS = {
    "payment_intent": ("payment_intent", "intent"),
    "payment_method": ("PaymentMethod", "payment_method"),
    "charge": ("charge", "id"),
    "refund": ("refund", "id"),
    "dispute": ("dispute", "dispute"),
    "event": ("event", "id"),
    "webhook_endpoint": ("webhook endpoint", "webhook_endpoint"),
}


class Account:
    """The objects of one mode, oldest first. Hold ``lock`` to read or change them."""

    def __init__(self, account_id: str, livemode: bool) -> None:
        """Create one mode of an account.

        :param account_id: the account's id, the same in both modes.
        """
        self.id = account_id
        self.livemode = livemode
        self.lock = threading.RLock()
        self.tables: dict[str, dict[str, Object]] = {kind: {} for kind in _LABELS}
        # The card of each PaymentMethod, and the PaymentMethods that a payment has used up.
        self.cards: dict[str, Card] = {}
        self.used: set[str] = set()
        # Whether the bank declines every card.
        self.declining = False
        self.other: Account = self

    def add(self, item: Object) -> Object:
        """Store a new object, and return it."""
        self.tables[item["object"]][item["id"]] = item
        return item

    def find(self, kind: str, object_id: str, param: str | None = None, status: int = 404) -> Object:
        """Return an object.

        :param kind: its ``object``, such as ``charge``.
        :param param: the parameter with the id; None if the id is in the address.
        :param status: 404 if the id is in the address, 400 if it is a parameter.
        :raises StripeError: this mode has no object with that id.
        """
        if item := self.tables[kind].get(object_id):
            return item
        label, default_param = _LABELS[kind]
        exists_in_live = self.other.livemode if object_id in self.other.tables[kind] else None
        raise errors.no_such(label, object_id, param or default_param, exists_in_live=exists_in_live, status=status)


def create_accounts() -> tuple[Account, Account]:
    """Create both modes of an account: test, then live."""
    account_id = new_id("acct", 16)
    test, live = Account(account_id, livemode=False), Account(account_id, livemode=True)
    test.other, live.other = live, test
    return test, live


def find_account(accounts: tuple[Account, Account], kind: str, object_id: str) -> Account:
    """Return the mode that has an object; test mode if neither has it."""
    test, live = accounts
    return live if object_id in live.tables[kind] else test


def nullable_members(stripe_class: type, *omitted: str) -> Object:
    """Return the members of a stripe-python class that may be null, each with the value None.

    :param omitted: members that Stripe leaves out of its responses instead.
    """
    hints = stripe_class.__annotations__.items()
    return {name: None for name, hint in hints if type(None) in get_args(hint) and name not in omitted}
