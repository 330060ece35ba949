"""API keys: issued, told apart by mode, restricted, revoked, and never shown whole."""

import base64
import binascii
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from devstack.stripe import errors
from devstack.stripe.ids import new_id

Mode = Literal["test", "live"]

_SECRET = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9]{4,}")
_PREFIX = re.compile(r"(?:sk|rk|pk)_(?:test|live)_")

# What a restricted key may be allowed, as Stripe's 403 names it. Refunds are under charges. Writing includes reading.
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
_PUBLISHABLE_KEY = (
    "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of "
    "your API keys at https://dashboard.stripe.com/account/apikeys."
)


@dataclass(frozen=True)
class Key:
    """A key that is good: its mode, and what it may do (None: everything). ``repr`` does not show it."""

    value: str = field(repr=False)
    livemode: bool
    restricted_to: frozenset[str] | None = None

    def allows(self, permission: str) -> bool:
        """Tell whether the key may do what needs a permission such as ``rak_charge_read``."""
        if self.restricted_to is None:
            return True
        return bool({permission, permission.replace("_read", "_write")} & self.restricted_to)


class Keys:
    """The account's keys, of both modes. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._good: dict[str, Key] = {}
        self._revoked: set[str] = set()

    def issue(self, mode: Mode, restricted_to: Iterable[str] | None = None) -> str:
        """Make a key.

        :param mode: ``test`` or ``live``.
        :param restricted_to: what a restricted key (``rk_``) may do, names of :data:`PERMISSIONS`; None makes a
            secret key (``sk_``), which may do everything.
        :return: the key.
        :raises ValueError: there is no such mode or permission.
        """
        if mode not in ("test", "live"):
            raise ValueError(f"mode is {mode!r}: it must be 'test' or 'live'.")
        key = new_id(f"{'sk' if restricted_to is None else 'rk'}_{mode}", 99)
        self.add(key, restricted_to)
        return key

    def add(self, key: str, restricted_to: Iterable[str] | None = None) -> None:
        """Make a key of your own choice good, also one that was revoked.

        :param key: ``sk_`` or ``rk_``, the mode, and at least four letters and digits.
        :param restricted_to: as in :meth:`issue`.
        :raises ValueError: it is no such key, or there is no such permission.
        """
        match = _SECRET.fullmatch(key)
        if match is None:
            raise ValueError("a key is sk_test_, rk_test_, sk_live_ or rk_live_ and at least four letters and digits.")
        permissions = None if restricted_to is None else frozenset(restricted_to)
        if unknown := (permissions or frozenset()) - PERMISSIONS:
            raise ValueError(
                f"no such permission: {', '.join(sorted(map(str, unknown)))}; there are {sorted(PERMISSIONS)}."
            )
        with self._lock:
            self._good[key] = Key(key, match[1] == "live", permissions)
            self._revoked.discard(key)

    def revoke(self, key: str) -> None:
        """End a key: from now on it is answered as expired.

        :raises ValueError: the key is not good now.
        """
        with self._lock:
            if self._good.pop(key, None) is None:
                raise ValueError("no such key is good now.")
            self._revoked.add(key)

    def good(self, value: str | None) -> Key | None:
        """Return a key's mode and permissions; None if it is not good."""
        with self._lock:
            return self._good.get(value) if value else None

    def authenticate(self, value: str | None) -> Key:
        """Return the key that a call was made with.

        :param value: what the call presented; see :func:`presented`.
        :raises StripeError: 401, there is none, or it is unknown, revoked or publishable.
        """
        if not value:
            raise errors.unauthenticated(_NO_KEY)
        if key := self.good(value):
            return key
        if value in self._revoked:
            raise errors.unauthenticated(f"Expired API Key provided: {masked(value)}", "api_key_expired")
        if value.startswith("pk_"):
            raise errors.unauthenticated(_PUBLISHABLE_KEY, "secret_key_required")
        raise errors.unauthenticated(f"Invalid API Key provided: {masked(value)}")


def presented(authorization: str | None) -> str | None:
    """Read the key out of an ``Authorization`` header, Bearer or Basic (the key as user name, as curl -u sends it).

    :return: the key, good or not; None if there is none to be read.
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def masked(value: str) -> str:
    """Return a key as it may be shown: its prefix, stars, and its last four characters."""
    prefix = match[0] if (match := _PREFIX.match(value)) else ""
    rest = value[len(prefix) :]
    return prefix + "*" * max(len(rest) - 4, 0) + (rest[-4:] if len(rest) > 4 else "*" * len(rest))
