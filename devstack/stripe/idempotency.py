"""Idempotency keys: each call is executed once (https://docs.stripe.com/api/idempotent_requests)."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from devstack.stripe import errors
from devstack.stripe.account import Clock
from devstack.stripe.messages import Response

_LIFETIME = 24 * 60 * 60  # seconds
_LONGEST_KEY = 255  # characters

Scope = tuple[bool, str]  # livemode, and the idempotency key


@dataclass
class _Entry:
    fingerprint: Hashable
    expires: float  # Unix seconds
    result: Response | None = None


class Results:
    """The results by mode and idempotency key, whichever API key was used. Safe to use from many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Scope, _Entry] = {}

    def run(self, scope: Scope, fingerprint: Hashable, execute: Callable[[], Response]) -> tuple[Response, bool]:
        """Execute a call, or return the result of its first execution in the last 24 hours.

        An exception of ``execute`` leaves the key unused.

        :param fingerprint: must be the same in a repeated call: address and parameters.
        :return: the result, and whether it is of an earlier execution.
        :raises StripeError: 400, the key is too long or was used with another fingerprint; 409, the key's first
            execution has not ended.
        """
        if stored := self._claim(scope, fingerprint):
            return stored, True
        result = None
        try:
            result = execute()
        finally:
            with self._lock:
                if result is None:
                    del self._entries[scope]
                else:
                    self._entries[scope].result = result
        return result, False

    def _claim(self, scope: Scope, fingerprint: Hashable) -> Response | None:
        key = scope[1]
        if len(key) > _LONGEST_KEY:
            raise errors.invalid_request(f"Idempotency keys can have up to {_LONGEST_KEY} characters, not {len(key)}.")
        with self._lock:
            self._remove_expired()
            entry = self._entries.get(scope)
            if entry is None:
                self._entries[scope] = _Entry(fingerprint, self._clock() + _LIFETIME)
                return None
            if entry.fingerprint != fingerprint:
                raise errors.StripeError(
                    400,
                    "idempotency_error",
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                    f"Try using a key other than '{key}' if you meant to execute a different request.",
                )
            if entry.result is None:
                raise errors.idempotency_key_in_use(key)
            return entry.result

    def _remove_expired(self) -> None:
        # The oldest entries come first. An entry without a result is still executing.
        for scope, entry in list(self._entries.items()):
            if entry.expires > self._clock():
                break
            if entry.result is not None:
                del self._entries[scope]
