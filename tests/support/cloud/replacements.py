"""Temporary replacements of methods of moto's classes."""

from collections.abc import Callable
from typing import Any

_MISSING = object()


class Replacements:
    """Replaces methods until :meth:`undo`. The whole process shares moto's classes and state."""

    def __init__(self) -> None:
        self._originals: list[tuple[Any, str, Any]] = []

    def add(self, owner: Any, name: str, method: Any) -> None:
        """Set a method of a class, or a function of a module."""
        self._originals.append((owner, name, owner.__dict__.get(name, _MISSING)))
        setattr(owner, name, method)

    def wrap(self, owner: Any, name: str, wrapper: Callable[[Any], Callable[..., Any]]) -> None:
        """Replace a method by the result of a wrapper."""
        self.add(owner, name, wrapper(getattr(owner, name)))

    def undo(self) -> None:
        """Restore the original methods."""
        for owner, name, original in reversed(self._originals):
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        self._originals.clear()
