"""Runs commands of `stagectl` in this process, on a :class:`FakeDev`."""

import contextlib
import io
import sys
from typing import Any
from unittest import mock

import click
import pytest

from stagectl.cli import with_commands_of_project
from stagectl.operator_error import OperatorError
from tests.support.command_lines import check_line
from tests.support.fake_dev import FakeDev


def invoke(dev: FakeDev, *arguments: str, stdin: str = "", terminal: bool = False) -> tuple[Any, str]:
    """Run a command, and return its exit code and what it wrote to standard output.

    :param terminal: whether standard input is one.
    """
    command: click.Command = with_commands_of_project()
    remaining = list(arguments)
    while isinstance(command, click.Group) and remaining and remaining[0] in command.commands:
        command = command.commands[remaining.pop(0)]
    entered, shown = io.StringIO(stdin), io.StringIO()
    entered.isatty = lambda: terminal  # type: ignore[method-assign]
    try:
        with mock.patch.object(sys, "stdin", entered), contextlib.redirect_stdout(shown):
            return command.main(remaining, obj=dev.context, standalone_mode=False), shown.getvalue()
    finally:
        sys.stdout.write(shown.getvalue())


def run(dev: FakeDev, *arguments: str, **options: Any) -> str:
    """Run a command, and return what it wrote to standard output."""
    return invoke(dev, *arguments, **options)[1]


def fail(dev: FakeDev, *arguments: str, **options: Any) -> OperatorError:
    """Run a command that has to fail, and return its error, whose commands can be pasted."""
    with pytest.raises(OperatorError) as raised:
        run(dev, *arguments, **options)
    for line in raised.value.command.splitlines():
        check_line(line)
    return raised.value
