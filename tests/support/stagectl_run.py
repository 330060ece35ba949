"""Runs commands of `stagectl` in this process, on a :class:`FakeDev`."""

import contextlib
import io
import sys
from unittest import mock

import click
import pytest

from stagectl.cli import with_commands_of_project
from stagectl.operator_error import OperatorError
from tests.support.command_lines import check_line
from tests.support.fake_dev import FakeDev


def run(dev: FakeDev, *arguments: str, stdin: str = "", terminal: bool = False) -> str:
    """Run a command, and return what it wrote to standard output.

    :param terminal: whether standard input is one.
    """
    command: click.Command = with_commands_of_project()
    remaining = list(arguments)
    while isinstance(command, click.Group) and remaining and remaining[0] in command.commands:
        command = command.commands[remaining.pop(0)]
    entered = io.StringIO(stdin)
    entered.isatty = lambda: terminal  # type: ignore[method-assign]
    with mock.patch.object(sys, "stdin", entered), contextlib.redirect_stdout(io.StringIO()) as shown:
        command.main(remaining, obj=dev.context, standalone_mode=False)
    return shown.getvalue()


def fail(dev: FakeDev, *arguments: str, stdin: str = "", terminal: bool = False) -> OperatorError:
    """Run a command that has to fail, and return its error, whose commands can be pasted."""
    with pytest.raises(OperatorError) as raised:
        run(dev, *arguments, stdin=stdin, terminal=terminal)
    for line in raised.value.command.splitlines():
        check_line(line)
    return raised.value
