"""API keys of both modes: issued, restricted and revoked. No message shows a whole key."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from devstack.stripe import errors
from devstack.stripe.account import new_id

Mode = Literal["test", "live"]

_SECRET = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9]{4,}")
_PREFIX = re.compile(r"(?:sk|rk|pk)_(?:test|live)_")

# The permissions of restricted keys, as Stripe's 403 names them. Refunds are part of charges; write includes read.
PERMISSIONS = frozenset(
    f"rak_{resource}_{access}"
    for resource in ("balance", "charge", "event", "payment_intent", "webhook")
    for access in ("read", "write")
)

_NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
    "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for "
    "details, or we can help at https://support.stripe.com/."
)


@dataclass(frozen=True)
class Key:
    """The mode of a valid key, and its permissions (None: all)."""

    livemode: bool
    restricted_to: frozenset[str] | None = None

    def allows(self, permission: str) -> bool:
        """Return whether the key has a permission such as ``rak_charge_read``."""
        granted = self.restricted_to
        return granted is None or not granted.isdisjoint((permission, permission.replace("_read", "_write")))


class Keys:
    """The account's keys of both modes. Safe to use from many threads."""

    def __init__(self) -> None:
        self._keys: dict[str, Key | None] = {}  # None if it is revoked

    def issue(self, mode: Mode, restricted_to: Iterable[str] | None = None) -> str:
        """Create a key.

        :param restricted_to: the permissions of a restricted key (``rk_``), from :data:`PERMISSIONS`; None creates a
            secret key (``sk_``), which has every permission.
        :raises ValueError: there is no such mode or permission.
        """
        if mode not in ("test", "live"):
            raise ValueError(f"mode is {mode!r}: it must be 'test' or 'live'.")
        key = new_id(f"{'sk' if restricted_to is None else 'rk'}_{mode}", 99)
        self.add(key, restricted_to)
        return key

    def add(self, key: str, restricted_to: Iterable[str] | None = None) -> None:
        """Make a given key valid, even if it was revoked. See :meth:`issue`; ValueError if the key is malformed."""
        match = _SECRET.fullmatch(key)
        if match is None:
            raise ValueError("a key is sk_test_, rk_test_, sk_live_ or rk_live_ and at least four letters or digits.")
        permissions = None if restricted_to is None else frozenset(restricted_to)
        if unknown := (permissions or frozenset()) - PERMISSIONS:
            names = ", ".join(sorted(map(str, unknown)))
            raise ValueError(f"no such permission: {names}. The permissions are: {', '.join(sorted(PERMISSIONS))}.")
        self._keys[key] = Key(match[1] == "live", permissions)

    def revoke(self, key: str) -> None:
        """Revoke a key, so that it is reported as expired; ValueError if it is not valid."""
        if self.find(key) is None:
            raise ValueError("no such key is valid.")
        self._keys[key] = None

    def find(self, value: str | None) -> Key | None:
        """Return a key with its mode and permissions; None if it is not valid."""
        return self._keys.get(value) if value else None

    def authenticate(self, value: str | None) -> Key:
        """Return the valid key of a request; StripeError 401 if it is missing, unknown or revoked."""
        if not value:
            raise errors.unauthenticated(_NO_KEY)
        if key := self.find(value):
            return key
        if value in self._keys:
            raise errors.unauthenticated(f"Expired API Key provided: {masked(value)}", "api_key_expired")
        raise errors.unauthenticated(f"Invalid API Key provided: {masked(value)}")


def masked(value: str) -> str:
    """Return a key with all but its prefix and its last four characters replaced by stars."""
    prefix = match[0] if (match := _PREFIX.match(value)) else ""
    rest = value[len(prefix) :]
    return prefix + "*" * max(len(rest) - 4, 0) + (rest[-4:] if len(rest) > 4 else "*" * len(rest))
