"""One API call, as the modules of the resources receive it."""

import copy
from dataclasses import dataclass, field
from typing import Any

from devstack.stripe.account import API_VERSION, Account, Object
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

    def new(self, kind: str, **members: Any) -> Object:
        """Return a new object of the account, not stored yet; see :meth:`Account.new`."""
        return self.account.new(kind, self.now, **members)

    def emit(self, kind: str, item: Object, previous: Object | None = None) -> None:
        """Create an event with an object as it is now (https://docs.stripe.com/api/events/object), and deliver it.

        :param kind: such as ``payment_intent.succeeded``.
        :param previous: the previous values of the object's changed members, if Stripe reports them.
        """
        data = {"object": copy.deepcopy(item)}
        if previous is not None:
            data["previous_attributes"] = previous
        request = {"id": self.request_id, "idempotency_key": self.idempotency_key}
        event = self.account.add(self.new("event", api_version=API_VERSION, data=data, request=request, type=kind))
        self.webhooks.send(self.account, event)
        self.feed.add(event)
