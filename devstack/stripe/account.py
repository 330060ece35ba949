"""What the account holds in one mode: every object, by kind and id. The modes do not see each other's."""

import copy
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import stripe

from devstack.stripe import errors
from devstack.stripe.cards import Card
from devstack.stripe.ids import new_id

if TYPE_CHECKING:
    from devstack.stripe.webhooks import Webhooks

_News = TypeVar("_News")
Object = dict[str, Any]

# The version an account's events have, whichever a call asks for: that of the stripe-python installed.
API_VERSION: str = stripe.api_version

# What Stripe calls an object when there is none, and the parameter it blames.
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
        """Begin empty.

        :param account_id: the account's id, the same in both modes.
        :param livemode: which mode this is.
        """
        self.id = account_id
        self.livemode = livemode
        self.lock = threading.RLock()
        self.tables: dict[str, dict[str, Object]] = {kind: {} for kind in _LABELS}
        # Behind a PaymentMethod: the card, and whether a payment has used it up.
        self.cards: dict[str, Card] = {}
        self.used: set[str] = set()
        # Whether every bank says no, whatever the card.
        self.declining = False
        # Behind a WebhookEndpoint: the secrets it had before, latest first, and when each expires.
        self.old_secrets: dict[str, list[tuple[str, float]]] = {}
        self.other: Account = self

    def add(self, item: Object) -> Object:
        """Keep a new object, and return it."""
        self.tables[item["object"]][item["id"]] = item
        return item

    def find(self, kind: str, name: str, param: str | None = None, status: int = 404) -> Object:
        """Return an object.

        :param kind: its ``object``, such as ``charge``.
        :param name: its id.
        :param param: the parameter the id came in; None for the address.
        :param status: 404 where the id is in the address, 400 where it is a parameter.
        :raises StripeError: this mode has none of that id.
        """
        if found := self.tables[kind].get(name):
            return found
        label, own_param = _LABELS[kind]
        exists_in_live = self.other.livemode if name in self.other.tables[kind] else None
        raise errors.no_such(label, name, param or own_param, exists_in_live=exists_in_live, status=status)

    def listening(self, kind: str) -> list[str]:
        """Return the ids of the enabled endpoints that want events of a type."""
        endpoints = self.tables["webhook_endpoint"].values()
        return [e["id"] for e in endpoints if self.is_enabled(e["id"]) and {kind, "*"} & set(e["enabled_events"])]

    def is_enabled(self, endpoint_id: str) -> bool:
        """Tell whether an endpoint is there, and not disabled."""
        endpoint = self.tables["webhook_endpoint"].get(endpoint_id)
        return endpoint is not None and endpoint["status"] == "enabled"


def both_modes() -> tuple[Account, Account]:
    """Make an account's two halves: test, and live."""
    account_id = new_id("acct", 16)
    test, live = Account(account_id, livemode=False), Account(account_id, livemode=True)
    test.other, live.other = live, test
    return test, live


def owner(accounts: tuple[Account, Account], kind: str, name: str) -> Account:
    """Return the mode that has an object; test mode if neither has."""
    test, live = accounts
    return live if name in live.tables[kind] else test


def tell(listener: Callable[[_News], None] | None, news: _News) -> None:
    """Hand something on to whoever wants to know; what that raises is its owner's bug, and fails nothing here."""
    if listener is None:
        return
    try:
        listener(news)
    except Exception as error:  # noqa: BLE001 - see above
        arguments = (type(error), error, error.__traceback__, threading.current_thread())
        threading.excepthook(threading.ExceptHookArgs(arguments))


class EventFeed:
    """Hands events on: to the webhooks as they are made, and to ``on_event`` one at a time and in order.

    The latter while no lock is held that an API call would wait for.
    """

    def __init__(self, on_event: Callable[[Object], None] | None, webhooks: "Webhooks") -> None:
        """Begin empty.

        :param on_event: gets each event once. A call may end before its events are handed on if another call's
            thread is busy handing on earlier ones; one client that makes one call at a time never sees that.
        :param webhooks: delivers each event in the background.
        """
        self.webhooks = webhooks
        self._on_event = on_event
        self._waiting: deque[Object] = deque()
        self._delivering = threading.Lock()

    def add(self, event: Object) -> None:
        """Put an event in line."""
        self._waiting.append(copy.deepcopy(event))

    def deliver(self) -> None:
        """Hand on what is in line, unless another thread is doing that."""
        # After the release, look again: an event may have come while this thread held the lock but was past the loop.
        while self._waiting and self._delivering.acquire(blocking=False):
            try:
                while self._waiting:
                    tell(self._on_event, self._waiting.popleft())
            finally:
                self._delivering.release()


@dataclass(frozen=True)
class Call:
    """One API call, as a resource sees it: checked parameters, the account, and what events tell about the call."""

    account: Account
    feed: EventFeed
    now: int
    params: Object = field(default_factory=dict)
    id: str = ""
    request_id: str | None = None
    idempotency_key: str | None = None

    @property
    def livemode(self) -> bool:
        """Whether the call was made in live mode."""
        return self.account.livemode

    def emit(self, kind: str, item: Object, previous: Object | None = None) -> None:
        """Make an event about an object as it is now (https://docs.stripe.com/api/events/object).

        :param kind: such as ``payment_intent.succeeded``.
        :param item: the object.
        :param previous: what those of its members were that have changed, where Stripe tells.
        """
        listening = self.account.listening(kind)
        data = {"object": copy.deepcopy(item)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": new_id("evt"),
            "object": "event",
            "account": None,
            "api_version": API_VERSION,
            "context": None,
            "created": self.now,
            "data": data,
            "livemode": self.livemode,
            "pending_webhooks": len(listening),
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        self.account.add(event)
        self.feed.add(event)
        self.feed.webhooks.send(self.account, event, listening)
