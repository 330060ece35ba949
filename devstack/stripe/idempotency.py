"""Idempotency keys: one execution a key, its result repeated (https://docs.stripe.com/api/idempotent_requests)."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from devstack.stripe import errors

KEPT = 24 * 60 * 60  # seconds
LONGEST = 255  # characters


@dataclass(frozen=True)
class Result:
    """How an execution ended, whatever its status, and the id of the call that began it."""

    status: int
    body: bytes
    request_id: str


@dataclass
class _Entry:
    fingerprint: Hashable
    expires: float  # Unix seconds
    result: Result | None = None


class Results:
    """The results by key and mode: not by API key, so a replaced API key finds them. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin empty.

        :param clock: the time in Unix seconds.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[tuple[bool, str], _Entry] = {}

    def begin(self, livemode: bool, key: str, fingerprint: Hashable) -> Result | None:
        """Claim a key for an execution, or find what came of it.

        :param livemode: the mode of the call.
        :param key: the ``Idempotency-Key``.
        :param fingerprint: what must be the same in a repeat: address and parameters.
        :return: the result to repeat; None if the caller is to execute now, and to call :meth:`end` then.
        :raises StripeError: 400, the key is too long or came with another fingerprint; 409, it is executing.
        """
        if len(key) > LONGEST:
            raise errors.invalid_request(f"Idempotency keys can have up to {LONGEST} characters, not {len(key)}.")
        with self._lock:
            self._forget()
            entry = self._entries.get((livemode, key))
            if entry is None:
                self._entries[livemode, key] = _Entry(fingerprint, self._clock() + KEPT)
                return None
            if entry.fingerprint != fingerprint:
                raise errors.idempotency_key_reused(key)
            if entry.result is None:
                raise errors.idempotency_key_in_use(key)
            return entry.result

    def end(self, livemode: bool, key: str, result: Result | None) -> None:
        """Keep an execution's result for 24 hours, or let the key go.

        :param result: None if nothing was executed: the key is then as if it had never been used.
        """
        with self._lock:
            if result is None:
                del self._entries[livemode, key]
            else:
                self._entries[livemode, key].result = result

    def _forget(self) -> None:
        # Entries are in the order they were made, so what has expired comes first. What executes is not forgotten.
        for name, entry in list(self._entries.items()):
            if entry.expires > self._clock():
                break
            if entry.result is not None:
                del self._entries[name]
