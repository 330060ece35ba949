"""Methods of moto's classes, replaced for a while."""

from collections.abc import Callable
from typing import Any

_MISSING = object()


class Replacements:
    """What was replaced, to be put back by :meth:`undo`. moto's classes are the process's, as its state is."""

    def __init__(self) -> None:
        self._originals: list[tuple[Any, str, Any]] = []

    def add(self, owner: Any, name: str, method: Any) -> None:
        """Give a class (or a module) a method, in place of any that it has."""
        self._originals.append((owner, name, owner.__dict__.get(name, _MISSING)))
        setattr(owner, name, method)

    def wrap(self, owner: Any, name: str, wrapper: Callable[[Any], Callable[..., Any]]) -> None:
        """Replace a method by what a wrapper makes of it."""
        self.add(owner, name, wrapper(getattr(owner, name)))

    def undo(self) -> None:
        """Put the classes' own methods back."""
        for owner, name, original in reversed(self._originals):
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        self._originals.clear()
