"""A secret's value, and the errors of reading one."""

import hmac
import traceback
from typing import NoReturn


class SecretError(Exception):
    """The secret can't be used. The message is for logs: it names the parameter, never the value."""


class SecretUnavailableError(SecretError):
    """Parameter Store did not return the parameter."""


class SecretInvalidError(SecretError):
    """The parameter's value or type is invalid."""


class SecretValue:
    """A value that only :meth:`reveal` shows: repr, str, format, pickle and tracebacks do not contain it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the value. Call this where the value is used, and keep no other copy."""
        return self.__value

    def __repr__(self) -> str:
        return "SecretValue('**********')"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretValue):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a SecretValue can be neither pickled nor copied")


def clear_frame_locals(error: BaseException | None) -> None:
    """Clear the local variables in the tracebacks of an error and its causes.

    They may hold a secret, and some error reporters record them.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
