"""The output: tables and marks on a terminal, plain text in a pipe, JSON on request."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from rich.console import Console
from rich.status import Status
from rich.text import Text

from stagectl import project
from stagectl.operator_error import OperatorError

Level = Literal["ok", "warn", "fail"]

_MARKS: dict[Level, tuple[str, str, str]] = {
    "ok": ("✓", "OK", "green"),
    "warn": ("!", "!", "yellow"),
    "fail": ("✗", "X", "red"),
}


def redacted(text: str) -> str:
    """Remove the app's secrets from a text, which another program's message may quote."""
    try:
        return project.secret_pattern(project.current().config.SECRETS).sub("***", text)
    except OperatorError:
        return text  # there is no project, so there are no secrets


class Output:
    """Writes results to standard output and everything else to standard error. A pipe receives each line whole."""

    def __init__(self) -> None:
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)
        self._status: Status | None = None

    def line(self, text: str, style: str = "") -> None:
        """Write a line of the result."""
        self._print(self._out, text, style)

    def mark(self, level: Level, text: str, remedy: str = "", command: str = "") -> None:
        """Write a line with ✓, ! or ✗, and below it what to do and the commands to paste."""
        self._print_mark(self._out, level, text, remedy, command)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write an aligned table. A terminal wraps long lines, so that a cell can be copied whole."""
        cells = [list(columns), *(["-" if cell is None else str(cell) for cell in row] for row in rows)]
        lines = [[_encodable(self._out, cell) for cell in line] for line in cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for number, line in enumerate(lines):
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._print(self._out, text.rstrip(), "" if number else "bold")

    def json(self, value: Any) -> None:
        """Write JSON, for programs."""
        sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
        sys.stdout.flush()

    def note(self, text: str, style: str = "dim") -> None:
        """Write a line that is not part of the result."""
        self._print(self._err, text, style)

    def error(self, what: str, remedy: str, command: str = "") -> None:
        """Write what happened, what to do, and the commands to paste."""
        self._print_mark(self._err, "fail", redacted(what), redacted(remedy), redacted(command))

    @contextmanager
    def working(self, text: str, *, piped: bool = True) -> Iterator[None]:
        """Show an activity while it lasts: a spinner on a terminal, a line elsewhere.

        :param piped: whether to write that line.
        """
        if self._err.is_terminal:
            with self._err.status(Text(text)) as self._status:
                try:
                    yield
                finally:
                    self._status = None
        else:
            if piped:
                self.note(text + " ...")
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the spinner, which would hide a prompt, for a while."""
        if self._status:
            self._status.stop()
        yield
        if self._status:
            self._status.start()

    @staticmethod
    def _print(console: Console, text: str, style: str = "") -> None:
        console.print(Text(_encodable(console, text), style), soft_wrap=True)

    def _print_mark(self, console: Console, level: Level, text: str, remedy: str, command: str) -> None:
        symbol, plain, colour = _MARKS[level]
        shown = symbol if _is_unicode(console) else plain
        console.print(Text.assemble((shown, colour), " ", _encodable(console, text)), soft_wrap=True)
        for below, style in ((remedy, "dim"), *((line, "") for line in command.splitlines())):
            if below:
                self._print(console, "    " + below, style)


def _console(stream: Any) -> Console:
    terminal = stream.isatty()
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=None if terminal else 1000)


def _encodable(console: Console, text: str) -> str:
    """Replace the characters that the stream's encoding lacks."""
    if _is_unicode(console):
        return text
    return text.replace("…", "...").encode(console.encoding, "backslashreplace").decode(console.encoding)


def _is_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")
