"""What people and programs see: tables and marks on a terminal, plain text in a pipe, JSON on request."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

Level = Literal["ok", "warn", "fail"]

_MARKS: dict[Level, tuple[str, str, str]] = {
    "ok": ("✓", "OK", "green"),
    "warn": ("!", "!", "yellow"),
    "fail": ("✗", "X", "red"),
}


class Output:
    """Results go to standard output, all else to standard error, so that a pipe gets results alone."""

    def __init__(self) -> None:
        """Write to the process's streams. A pipe gets every line whole, whatever its length."""
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    def line(self, text: str, style: str = "") -> None:
        """Write a line of the result."""
        self._out.print(Text(text, style), soft_wrap=True)

    def mark(self, level: Level, text: str, remedy: str = "") -> None:
        """Write a line with ✓, ! or ✗, and beneath it what to do."""
        symbol, plain, colour = _MARKS[level]
        shown = symbol if _speaks_unicode(self._out) else plain
        self._out.print(Text.assemble((shown, colour), " ", text), soft_wrap=True)
        if remedy:
            self._out.print(Text("    " + remedy, "dim"), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write an aligned table."""
        table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=not self._out.is_terminal)
        for row in rows:
            table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
        self._out.print(table, soft_wrap=not self._out.is_terminal)

    def json(self, value: Any) -> None:
        """Write JSON, for programs."""
        sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
        sys.stdout.flush()

    def note(self, text: str, style: str = "dim") -> None:
        """Write what is not part of the result."""
        self._err.print(Text(text, style), soft_wrap=True)

    def error(self, what: str, remedy: str) -> None:
        """Write what went wrong, and what to do."""
        symbol, plain, colour = _MARKS["fail"]
        self._err.print(
            Text.assemble((symbol if _speaks_unicode(self._err) else plain, colour), " ", what), soft_wrap=True
        )
        self._err.print(Text("    " + remedy), soft_wrap=True)

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


def _console(stream: Any) -> Console:
    terminal = stream.isatty()
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=None if terminal else 1000)


def _speaks_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")
