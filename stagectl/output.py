"""What people and programs see: tables and marks on a terminal, plain text in a pipe, JSON on request."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from chalicelib.key_formats import STRIPE_SECRET

Level = Literal["ok", "warn", "fail"]

_MARKS: dict[Level, tuple[str, str, str]] = {
    "ok": ("✓", "OK", "green"),
    "warn": ("!", "!", "yellow"),
    "fail": ("✗", "X", "red"),
}


_WHOLE_SECRET = re.compile(rf"(?:{STRIPE_SECRET.pattern})\w+")


def redacted(text: str) -> str:
    """Return a text without keys and signing secrets, which somebody else's message may quote."""
    return _WHOLE_SECRET.sub("***", text)


class Output:
    """Results go to standard output, all else to standard error, so that a pipe gets results alone."""

    def __init__(self) -> None:
        """Write to the process's streams. A pipe gets every line whole, whatever its length."""
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    def line(self, text: str, style: str = "") -> None:
        """Write a line of the result."""
        self._print(self._out, text, style)

    def mark(self, level: Level, text: str, remedy: str = "", command: str = "") -> None:
        """Write a line with ✓, ! or ✗. What to do, and the commands to paste, are written below it."""
        self._marked(self._out, level, text)
        self._indented(self._out, remedy, command)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write an aligned table. A terminal wraps what is too long for it, so that it can be copied."""
        cells = [list(columns), *(["-" if cell is None else str(cell) for cell in row] for row in rows)]
        lines = [[_sayable(self._out, cell) for cell in line] for line in cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for number, line in enumerate(lines):
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._print(self._out, text.rstrip(), "" if number else "bold")

    def json(self, value: Any) -> None:
        """Write JSON, for programs."""
        sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
        sys.stdout.flush()

    def note(self, text: str, style: str = "dim") -> None:
        """Write what is not part of the result."""
        self._print(self._err, text, style)

    def error(self, what: str, remedy: str, command: str = "") -> None:
        """Write what went wrong, what to do, and the commands to paste."""
        self._marked(self._err, "fail", redacted(what))
        self._indented(self._err, redacted(remedy), redacted(command))

    @contextmanager
    def working(self, text: str, *, piped: bool = True) -> Iterator[None]:
        """Say what is being done while it is being done: a spinner on a terminal, a line elsewhere.

        :param piped: whether to write that line.
        """
        if self._err.is_terminal:
            with self._err.status(Text(text)):
                yield
        else:
            if piped:
                self.note(text + " ...")
            yield

    @staticmethod
    def _print(console: Console, text: str, style: str = "") -> None:
        console.print(Text(_sayable(console, text), style), soft_wrap=True)

    def _indented(self, console: Console, remedy: str, command: str) -> None:
        for text, style in ((remedy, "dim"), *((line, "") for line in command.splitlines())):
            if text:
                self._print(console, "    " + text, style)

    @staticmethod
    def _marked(console: Console, level: Level, text: str) -> None:
        symbol, plain, colour = _MARKS[level]
        shown = symbol if _speaks_unicode(console) else plain
        console.print(Text.assemble((shown, colour), " ", _sayable(console, text)), soft_wrap=True)


def _console(stream: Any) -> Console:
    terminal = stream.isatty()
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=None if terminal else 1000)


def _sayable(console: Console, text: str) -> str:
    """Return a text as the stream's encoding can say it."""
    if _speaks_unicode(console):
        return text
    return text.replace("…", "...").encode(console.encoding, "backslashreplace").decode(console.encoding)


def _speaks_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")
