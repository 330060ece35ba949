"""The faults that a person can switch on and off in the console, and how the service reacts to each."""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from devstack.aws_emulator import AwsFault, AwsServer
from devstack.stripe.faults import Fault
from devstack.stripe.server import StripeServer


class Switch(NamedTuple):
    """A fault: its name for programs, the part that fails, its title, and its effect as a person sees it."""

    name: str
    part: str
    title: str
    effect: str


class RestartError(RuntimeError):
    """No new container could be started. The running one stays."""

    status = 503  # of the console's response


_PAYMENTS = "POST /v1/payment_intents"

SWITCHES = (
    Switch("stripe_slow", "Stripe", "Slow", "Each charge takes 3 seconds longer. Purchases still succeed."),
    Switch(
        "stripe_late",
        "Stripe",
        "Responds too late",
        "Stripe charges the card but responds after 12 s. The service gives up after two calls (about 16 s) and "
        "returns 504: outcome unknown. Repeat the payment: with the same key the card is charged once.",
    ),
    Switch(
        "stripe_down",
        "Stripe",
        "Down",
        "Every call fails. The service tries four times within seconds, then returns 502. Nothing is charged.",
    ),
    Switch(
        "stripe_declining",
        "Stripe",
        "Declining",
        "Banks decline every card. The service returns 402 with the reason. No message and no text are sent.",
    ),
    Switch(
        "stripe_cut",
        "Stripe",
        "Cut after charge",
        "Stripe charges the card, then the connection breaks before the response, twice. The service repeats the call "
        "with the same key and succeeds: one charge. Then this switch turns itself off.",
    ),
    Switch(
        "ssm_denied",
        "Parameter Store",
        "Denied",
        "Starts a new container, because a running one already has the key. It can't read the key and returns 503. "
        "Nothing is charged. After you switch this off, the next purchase reads the key.",
    ),
    Switch(
        "ssm_throttled",
        "Parameter Store",
        "Throttled",
        "Starts a new container. Every read of its key is throttled. The service retries for up to 18 s, then returns "
        "503. Nothing is charged.",
    ),
    Switch(
        "key_revoked",
        "Stripe key",
        "Revoked",
        "Stripe rejects the key. The service reads it again, at most once in 30 s, finds no new key and returns 503. "
        "Nothing is charged. Rotate the key, or switch this off.",
    ),
    Switch(
        "sns_down",
        "SNS",
        "Down",
        "Purchases succeed. The webhook can't publish its message and returns 503, so Stripe retries after 1, 2, 4 … "
        "up to 60 s. Nothing is lost.",
    ),
)
# What Stripe does to every call while a switch is on. Times are in seconds. The service waits 8 for a response from
# Stripe (chalicelib/stripe_client/connection.py).
_STRIPE_FAULTS: dict[str, dict[str, Any]] = {
    "stripe_slow": {"delay": 3.0},
    "stripe_late": {"delay_after": 12.0},
    "stripe_down": {"status": 500, "match": "/v1/"},
}
# In this order: where reads are both denied and throttled, they are denied.
_AWS_FAULTS = {
    "ssm_denied": AwsFault("GetParameter", None, error="AccessDeniedException"),
    "ssm_throttled": AwsFault("GetParameter", None, error="ThrottlingException"),
    "sns_down": AwsFault("Publish", None, error="InternalError", status=500),
}


class Switches:
    """The faults of a running devstack. Safe to use from many threads."""

    def __init__(
        self, aws: AwsServer, payments: StripeServer, key: str, parameter: str, restart: Callable[[], None]
    ) -> None:
        """Start with every switch off.

        :param key: the stage's Stripe key.
        :param parameter: the key's name in Parameter Store.
        :param restart: replaces the service by a new container, and returns when that gets every new request. Raises
            :class:`RestartError` if it could not start.
        """
        self._aws, self._payments = aws, payments
        self._key, self._parameter = key, parameter
        self._restart = restart
        self._lock = threading.Lock()
        self._changes = 0
        self._stripe_faults: dict[str, Fault] = {}

    def state(self) -> dict[str, Any]:
        """Return every switch and whether it is on, the key's last four characters, and the number of changes.

        The number tells a switch that was turned on and has turned itself off from one that was not changed.
        """
        on = self._on()
        switches = [{**switch._asdict(), "on": switch.name in on} for switch in SWITCHES]
        return {"switches": switches, "key": f"…{self._key[-4:]}", "turned": self._changes}

    def turn(self, name: str, on: bool) -> None:
        """Turn a switch on or off.

        :raises ValueError: no switch has this name.
        """
        names = [switch.name for switch in SWITCHES]
        if name not in names:
            raise ValueError(f"There is no switch {name!r}. The switches are {', '.join(names)}.")
        with self._lock:
            before = self._on()
            self._set(before | {name} if on else before - {name})
            # A running container does not read its key again.
            if on and name not in before and name in ("ssm_denied", "ssm_throttled"):
                self._restart()

    def clear(self) -> None:
        """Turn every switch off, and remove the faults that were added without a switch."""
        with self._lock:
            self._payments.faults.clear()
            self._payments.webhooks.inject_faults(duplicate_every=0, fail_every=0, shuffle=0)
            self._aws.clear_faults()
            self._set(set())

    def rotate_key(self) -> None:
        """Store a new key, and revoke the one that the service has."""
        with self._lock:
            self._changes += 1
            new = self._payments.keys.issue("test")
            self._aws.put_secret(self._parameter, new)
            if self._payments.keys.find(self._key):
                self._payments.keys.revoke(self._key)
            self._key = new

    def restart(self) -> None:
        """Replace the service by a new container, which has not read its key yet."""
        with self._lock:
            self._restart()

    def _on(self) -> set[str]:
        """Return the names of the switches that are on, read from the parts, because others may remove their faults."""
        on = {name for name, fault in list(self._stripe_faults.items()) if self._payments.faults.is_active(fault)}
        on |= {name for name, fault in _AWS_FAULTS.items() if self._aws.has_fault(fault)}
        if self._payments.declining:
            on.add("stripe_declining")
        if self._payments.keys.find(self._key) is None:
            on.add("key_revoked")
        return on

    def _set(self, on: set[str]) -> None:
        self._changes += 1
        self._set_stripe_faults(on)
        for name, fault in _AWS_FAULTS.items():
            self._aws.remove_fault(fault)
            if name in on:
                self._aws.fail(fault)
        self._payments.declining = "stripe_declining" in on
        keys = self._payments.keys
        if ("key_revoked" in on) != (keys.find(self._key) is None):
            (keys.revoke if "key_revoked" in on else keys.add)(self._key)

    def _set_stripe_faults(self, on: set[str]) -> None:
        """Replace Stripe's faults. A call meets only one fault, so the lasting ones are combined."""
        faults = self._payments.faults
        for fault in self._stripe_faults.values():
            faults.remove(fault)
        self._stripe_faults = {}
        if "stripe_cut" in on:
            self._stripe_faults["stripe_cut"] = faults.add(2, cut="after", match=_PAYMENTS)
        lasting = [name for name in _STRIPE_FAULTS if name in on]
        if lasting:
            members = {"match": _PAYMENTS}
            for name in lasting:
                members |= _STRIPE_FAULTS[name]
            self._stripe_faults |= dict.fromkeys(lasting, faults.add(None, **members))
