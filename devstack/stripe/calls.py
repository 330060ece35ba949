"""One API call, as the modules of the resources receive it."""

import copy
from dataclasses import dataclass, field

from devstack.stripe.account import API_VERSION, Account, Object
from devstack.stripe.ids import new_id
from devstack.stripe.listeners import EventFeed
from devstack.stripe.webhooks import Webhooks


@dataclass(frozen=True)
class Call:
    """One API call: the account, the validated parameters, the id in the address, and what its events refer to."""

    account: Account
    feed: EventFeed
    webhooks: Webhooks
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
        """Create an event with an object as it is now (https://docs.stripe.com/api/events/object), and deliver it.

        :param kind: such as ``payment_intent.succeeded``.
        :param previous: the previous values of the object's changed members, if Stripe reports them.
        """
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
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        self.account.add(event)
        self.webhooks.send(self.account, event)
        self.feed.add(event)
