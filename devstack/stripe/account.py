"""The account's objects, by type and id. Test mode and live mode each have objects of their own."""

import functools
import secrets
import string
import threading
from collections.abc import Callable
from typing import Any, get_args

import stripe

from devstack.stripe import errors
from devstack.stripe.cards import Card

Object = dict[str, Any]
Clock = Callable[[], float]  # the time in Unix seconds

_ID_CHARACTERS = string.ascii_letters + string.digits

# The API version of the account's events, whichever version a call names: that of the installed stripe-python.
API_VERSION: str = stripe.api_version

_NOT_OF_CARDS = set(stripe.PaymentMethod.__annotations__) - {"customer", "customer_account"}
# For each type of object: the prefix of its ids, its label in Stripe's "No such ..." message, the parameter that the
# message names, its class in stripe-python, and the nullable members of the class that Stripe's responses leave out.
_TYPES: dict[str, tuple[str, str, str, type, set[str]]] = {
    "payment_intent": ("pi", "payment_intent", "intent", stripe.PaymentIntent, {"hooks", "payment_details"}),
    "payment_method": ("pm", "PaymentMethod", "payment_method", stripe.PaymentMethod, _NOT_OF_CARDS),
    "charge": ("ch", "charge", "id", stripe.Charge, {"level3", "refunds", "transfer"}),
    "refund": ("re", "refund", "id", stripe.Refund, set()),
    "dispute": ("du", "dispute", "dispute", stripe.Dispute, set()),
    "event": ("evt", "event", "id", stripe.Event, set()),
    "webhook_endpoint": ("we", "webhook endpoint", "webhook_endpoint", stripe.WebhookEndpoint, {"deleted", "secret"}),
}


def new_id(prefix: str, length: int = 24) -> str:
    """Make a unique id of a prefix, an underscore, and as many letters and digits as ``length``."""
    return f"{prefix}_{''.join(secrets.choice(_ID_CHARACTERS) for _ in range(length))}"


class Account:
    """The objects of one mode, oldest first. Hold ``lock`` to read or change them."""

    def __init__(self, account_id: str, livemode: bool) -> None:
        self.id = account_id
        self.livemode = livemode
        self.lock = threading.RLock()
        self.tables: dict[str, dict[str, Object]] = {kind: {} for kind in _TYPES}
        self.cards: dict[str, Card] = {}  # of each PaymentMethod
        # The signing secrets of each webhook endpoint, latest first, with the Unix time at which each expires.
        self.signing_secrets: dict[str, list[tuple[str, float]]] = {}
        # Whether the bank declines every card.
        self.declining = False
        self.other: Account = self

    def new(self, kind: str, created: int, **members: Any) -> Object:
        """Return a new object, not stored yet. Members that may be null are None by default.

        :param kind: its ``object``, such as ``charge``.
        :param created: Unix seconds.
        """
        prefix, _, _, stripe_class, _ = _TYPES[kind]
        mode = {"livemode": self.livemode} if "livemode" in stripe_class.__annotations__ else {}
        return {**_nulls(kind), "id": new_id(prefix), "object": kind, "created": created, **mode, **members}

    def add(self, item: Object) -> Object:
        """Store a new object, and return it."""
        self.tables[item["object"]][item["id"]] = item
        return item

    def find(self, kind: str, object_id: str, param: str | None = None) -> Object:
        """Return an object.

        :param kind: its ``object``, such as ``charge``.
        :param param: the parameter with the id; None if the id is in the address.
        :raises StripeError: this mode has no object with that id: 400 if it is a parameter, else 404.
        """
        if item := self.tables[kind].get(object_id):
            return item
        _, label, default_param, *_ = _TYPES[kind]
        exists_in_live = self.other.livemode if object_id in self.other.tables[kind] else None
        status = 400 if param else 404
        raise errors.no_such(label, object_id, param or default_param, exists_in_live=exists_in_live, status=status)


@functools.cache
def _nulls(kind: str) -> Object:
    *_, stripe_class, omitted = _TYPES[kind]
    hints = stripe_class.__annotations__.items()
    return {name: None for name, hint in hints if type(None) in get_args(hint) and name not in omitted}


Accounts = tuple[Account, Account]  # test mode, live mode


def create_accounts() -> Accounts:
    """Create both modes of an account: test, then live."""
    account_id = new_id("acct", 16)
    test, live = Account(account_id, livemode=False), Account(account_id, livemode=True)
    test.other, live.other = live, test
    return test, live


def find_account(accounts: Accounts, kind: str, object_id: str) -> Account:
    """Return the mode that has an object; test mode if neither has it."""
    test, live = accounts
    return live if object_id in live.tables[kind] else test
