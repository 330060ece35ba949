"""Webhooks: each event is delivered, signed, to the endpoints that are registered for it, until they accept it.

Deliveries work as at Stripe (https://docs.stripe.com/webhooks): in the background, in no fixed order, at least once,
with growing pauses until a 2xx or for three days. Stripe retries for only a few hours in test mode; the emulator treats
both modes alike.
"""

import dataclasses
import itertools
import math
import random
from collections.abc import Callable

from devstack.stripe.account import Account, Accounts, Clock, Object, find_account, new_id
from devstack.stripe.listeners import notify_listener
from devstack.stripe.messages import encode
from devstack.stripe.webhook_delivery import Attempt, Connect, WebhookSender, connect_directly
from devstack.stripe.webhook_schedule import Delivery, RetrySchedule

_LONGEST_SHUFFLE = 3600.0  # seconds
_LONGEST_OLD_SECRET = 86400.0  # seconds, as at Stripe
_LOST: tuple[int | None, str | None] = (None, "Not sent: the setting fail_every lost this attempt.")


class Webhooks:
    """Delivers events, and lists each attempt. Safe to use from many threads.

    ``attempts`` lists the attempts in the order in which they ended; a test may clear it. Three settings inject faults,
    each off when 0: every ``duplicate_every``-th delivery is made twice, the first attempt of every ``fail_every``-th
    is lost, and each delivery is delayed by up to ``shuffle`` seconds (drawn from ``random``), which changes the order.
    ``connect`` opens connections; a test may replace it to reach host names that DNS does not know. ``on_delivery``
    receives each attempt when it has ended, and may call this object.
    """

    def __init__(
        self, accounts: Accounts, clock: Clock, first_pause: float, on_delivery: Callable[[Attempt], None] | None
    ) -> None:
        self.attempts: list[Attempt] = []
        self.duplicate_every = 0
        self.fail_every = 0
        self.shuffle = 0.0
        self.random = random.Random()
        self.connect: Connect = connect_directly
        self._accounts = accounts
        self._clock = clock
        self._on_delivery = on_delivery
        self._sender = WebhookSender(clock)
        self._schedule = RetrySchedule(self._attempt, clock, first_pause)
        self._numbers = itertools.count(1)
        # The event and endpoint of each new delivery that has had no 2xx yet.
        self._unaccepted: set[tuple[str, str]] = set()
        # Methods of a part that are methods of the whole.
        self.wait = self._schedule.wait
        self.cancel = self._schedule.cancel

    @property
    def pending(self) -> int:
        """The number of deliveries that have neither succeeded nor been given up."""
        return self._schedule.pending

    def inject_faults(
        self, *, duplicate_every: int | None = None, fail_every: int | None = None, shuffle: float | None = None
    ) -> dict[str, float]:
        """Change the settings that are not None.

        :return: all three settings.
        :raises ValueError: a value is out of range; the message is a sentence.
        """
        settings = {"duplicate_every": duplicate_every, "fail_every": fail_every, "shuffle": shuffle}
        changes = {name: value for name, value in settings.items() if value is not None}
        for name, value in changes.items():
            if name == "shuffle" and not 0 <= value <= _LONGEST_SHUFFLE:
                raise ValueError(f"shuffle is {value}: it must be 0 to {_LONGEST_SHUFFLE:.0f} seconds.")
            if value < 0:
                raise ValueError(f"{name} is {value}: it must be 1 or more, or 0 for never.")
        vars(self).update(changes)
        return {name: getattr(self, name) for name in settings}

    def send(self, account: Account, event: Object) -> None:
        """Begin to deliver a new event, and set its ``pending_webhooks``. The account's lock must be held."""
        endpoint_ids = _subscribers(account, event["type"])
        event["pending_webhooks"] = len(endpoint_ids)
        for endpoint_id in endpoint_ids:
            self._unaccepted.add((event["id"], endpoint_id))
            number = next(self._numbers)
            delivery = Delivery(account, event["id"], endpoint_id, self._clock())
            if self.duplicate_every and number % self.duplicate_every == 0:
                self._schedule.add(dataclasses.replace(delivery), self.random.uniform(0, self.shuffle))
            delivery.lose_first = self.fail_every > 0 and number % self.fail_every == 0
            self._schedule.add(delivery, self.random.uniform(0, self.shuffle))

    def roll(self, endpoint_id: str, keep_old_for: float = 0.0) -> str:
        """Replace an endpoint's signing secret. Stripe's dashboard does this; its API has no call for it.

        :param keep_old_for: for how many seconds the previous secret signs too; 0 to 86400.
        :return: the new secret.
        :raises ValueError: ``keep_old_for`` is out of range.
        :raises StripeError: there is no such endpoint.
        """
        if not 0 <= keep_old_for <= _LONGEST_OLD_SECRET:
            raise ValueError(f"keep_old_for is {keep_old_for}: it must be 0 to {_LONGEST_OLD_SECRET:.0f} seconds.")
        account = find_account(self._accounts, "webhook_endpoint", endpoint_id)
        with account.lock:
            account.find("webhook_endpoint", endpoint_id)
            (previous, _), *older = account.signing_secrets[endpoint_id]
            secret = new_id("whsec", 32)
            secrets = [(secret, math.inf), (previous, self._clock() + keep_old_for), *older]
            account.signing_secrets[endpoint_id] = secrets
            return secret

    def stop(self) -> None:
        """Give up every delivery, and end every thread."""
        self._schedule.stop(self._sender.stop)

    def _attempt(self, delivery: Delivery) -> bool:
        """Make one attempt, and return whether to retry."""
        account = delivery.account
        with account.lock:
            endpoint = account.tables["webhook_endpoint"].get(delivery.endpoint_id)
            if endpoint is None or endpoint["status"] != "enabled":
                return False
            event = account.find("event", delivery.event_id)
            event_type, url = event["type"], endpoint["url"]
            body = encode({**event, "api_version": endpoint["api_version"] or event["api_version"]})
            now = self._clock()
            secrets = [secret for secret, expires in account.signing_secrets[endpoint["id"]] if expires > now]
        delivery.attempts += 1
        if delivery.lose_first and delivery.attempts == 1:
            status, error = _LOST
        else:
            status, error = self._sender.post(url, body, secrets, self.connect)
        if self._schedule.stopping:
            return False
        attempt = Attempt(delivery.event_id, event_type, delivery.endpoint_id, url, delivery.attempts, status, error)
        if attempt.succeeded:
            self._count_accepted(delivery)
        self.attempts.append(attempt)
        notify_listener(self._on_delivery, attempt)
        return not attempt.succeeded

    def _count_accepted(self, delivery: Delivery) -> None:
        """Subtract an endpoint's first 2xx to an event from the event's ``pending_webhooks``."""
        key = delivery.event_id, delivery.endpoint_id
        with delivery.account.lock:
            if key in self._unaccepted:
                self._unaccepted.remove(key)
                delivery.account.find("event", delivery.event_id)["pending_webhooks"] -= 1


def _subscribers(account: Account, event_type: str) -> list[str]:
    """Return the ids of the enabled endpoints that receive events of a type."""
    return [
        endpoint["id"]
        for endpoint in account.tables["webhook_endpoint"].values()
        if endpoint["status"] == "enabled" and {event_type, "*"} & set(endpoint["enabled_events"])
    ]
