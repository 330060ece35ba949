"""The faults that a person switches on and off, and what each makes the service do."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devstack.aws import AwsFault, AwsServer
from devstack.stripe.faults import Fault
from devstack.stripe.server import StripeServer


@dataclass(frozen=True)
class Switch:
    """A fault: its name for programs, the part that it is of, its title, and what one will see.

    ``new_container``: the service is started anew, since one that has read its key does not read it again.
    """

    name: str
    part: str
    title: str
    effect: str
    new_container: bool = False


# Seconds. The service gives a call to Stripe 8 of them (chalicelib/payments.py).
_SLOW, _TOO_LATE = 3.0, 12.0
_LOST_ANSWERS = 2
_PAYMENTS = "POST /v1/payment_intents"

SWITCHES = (
    Switch("stripe_slow", "Stripe", "Slow", "Each charge takes 3 seconds more. Purchases wait, and succeed."),
    Switch(
        "stripe_late",
        "Stripe",
        "Answers too late",
        "Charges the card, and answers after 12 s. The service gives up after two calls, some 17 s, and says that the "
        "outcome is unknown. Repeated with the same key, it is charged once.",
    ),
    Switch(
        "stripe_down",
        "Stripe",
        "Down",
        "Answers every call with an error. The service tries four times within seconds, then answers 502. Nothing is "
        "charged.",
    ),
    Switch(
        "stripe_declining",
        "Stripe",
        "Declining",
        "Banks say no to every card: 402 with the reason. No message and no text follow.",
    ),
    Switch(
        "stripe_cut",
        "Stripe",
        "Cut after charge",
        "The connection breaks between the next charge and its answer, twice. The service repeats the call with the "
        "same key: it succeeds, charged once. Then this switches itself off.",
    ),
    Switch(
        "ssm_denied",
        "Parameter Store",
        "Denied",
        "A container that has the key goes on, so a new one is started. It is not given the key: 503, nothing is "
        "charged. The first purchase after this is off reads it.",
        new_container=True,
    ),
    Switch(
        "ssm_throttled",
        "Parameter Store",
        "Throttled",
        "As above, with every read refused as one too many. The service tries for up to 18 s, then answers 503.",
        new_container=True,
    ),
    Switch(
        "key_revoked",
        "Stripe key",
        "Revoked",
        "Stripe refuses the key. The service reads it again, at most once in 30 s, and finds no other: 503, nothing is "
        "charged. Rotate the key, or switch this off.",
    ),
    Switch(
        "sns_down",
        "SNS",
        "Down",
        "Purchases go on. The webhook can't be announced and is answered 503, so Stripe calls again after 1, 2, 4 … "
        "up to 60 s: nothing is lost.",
    ),
)
_NAMES = {switch.name: switch for switch in SWITCHES}


class Switches:
    """The faults of a running devstack. Safe to use from many threads."""

    def __init__(
        self, aws: AwsServer, payments: StripeServer, key: str, parameter: str, restart: Callable[[], None]
    ) -> None:
        """Everything works.

        :param key: the stage's Stripe key.
        :param parameter: where Parameter Store has it.
        :param restart: replaces the service by a new container, and returns when that answers.
        """
        self._aws, self._payments = aws, payments
        self._key, self._parameter = key, parameter
        self._restart = restart
        self._lock = threading.Lock()
        self._turned = 0
        self._stripe: dict[str, Fault] = {}
        self._of_aws: dict[str, AwsFault] = {}

    def state(self) -> dict[str, Any]:
        """Return every switch and whether it is on, the key's last four characters, and how often something was turned.

        The last tells a switch that was turned and has switched itself off from one that was not turned.
        """
        on = self._on()
        shown = [
            {"name": switch.name, "part": switch.part, "title": switch.title, "effect": switch.effect}
            | {"on": switch.name in on}
            for switch in SWITCHES
        ]
        return {"switches": shown, "key": f"…{self._key[-4:]}", "turned": self._turned}

    def turn(self, name: str, on: bool) -> None:
        """Turn a switch.

        :raises ValueError: there is none of this name.
        """
        switch = _NAMES.get(name)
        if switch is None:
            raise ValueError(f"There is no switch {name!r}; there are: {', '.join(_NAMES)}.")
        with self._lock:
            before = self._on()
            self._set(before | {name} if on else before - {name}, before)
            if on and name not in before and switch.new_container:
                self._restart()

    def heal(self) -> None:
        """Let everything work again, also what others than these switches made fail."""
        with self._lock:
            before = self._on()
            self._payments.faults.clear()
            self._payments.webhooks.inject_faults(duplicate_every=0, fail_every=0, shuffle=0)
            self._aws.heal()
            self._set(set(), before)

    def rotate_key(self) -> None:
        """Store a new key, and revoke the one that the service has."""
        with self._lock:
            self._turned += 1
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
        """Return the names of the switches that are on: asked of the parts, whose faults others may clear."""
        on = {name for name, fault in list(self._stripe.items()) if self._payments.faults.is_active(fault)}
        on |= {name for name, fault in list(self._of_aws.items()) if self._aws.awaits(fault)}
        if self._payments.declining:
            on.add("stripe_declining")
        if self._payments.keys.find(self._key) is None:
            on.add("key_revoked")
        return on

    def _set(self, on: set[str], before: set[str]) -> None:
        self._turned += 1
        self._set_stripe(on)
        self._set_aws(on)
        self._payments.declining = "stripe_declining" in on
        if ("key_revoked" in on) != ("key_revoked" in before):
            change = self._payments.keys.revoke if "key_revoked" in on else self._payments.keys.add
            change(self._key)

    def _set_stripe(self, on: set[str]) -> None:
        """Add Stripe's faults anew. A call meets one fault alone, so that those which last are one together."""
        faults = self._payments.faults
        for fault in self._stripe.values():
            faults.remove(fault)
        self._stripe = {}
        if "stripe_cut" in on:
            self._stripe["stripe_cut"] = faults.add(_LOST_ANSWERS, cut="after", match=_PAYMENTS)
        lasting = on & {"stripe_slow", "stripe_late", "stripe_down"}
        if lasting:
            fault = faults.add(
                None,
                status=500 if "stripe_down" in on else None,
                delay=_SLOW if "stripe_slow" in on else 0.0,
                delay_after=_TOO_LATE if "stripe_late" in on else 0.0,
                match="/v1/" if "stripe_down" in on else _PAYMENTS,
            )
            self._stripe |= dict.fromkeys(lasting, fault)

    def _set_aws(self, on: set[str]) -> None:
        """Add AWS' faults anew. Where reads are denied and throttled, they are denied."""
        for fault in self._of_aws.values():
            self._aws.mend(fault)
        faults = {
            "ssm_denied": AwsFault("GetParameter", None, error="AccessDeniedException"),
            "ssm_throttled": AwsFault("GetParameter", None, error="ThrottlingException"),
            "sns_down": AwsFault("Publish", None, error="InternalError", status=500),
        }
        self._of_aws = {name: fault for name, fault in faults.items() if name in on}
        for fault in self._of_aws.values():
            self._aws.fail(fault)
