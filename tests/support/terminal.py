"""Runs `stagectl` in a pseudo-terminal, as an operator does: what is shown there, and what is typed."""

import os
import pty
import select
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from tests.support.cloud import Account
from tests.support.command_lines import check_output
from tests.support.operator_session import Operator
from tests.support.stack import transcript

_LONGEST = 60.0  # seconds


def run_at_terminal(
    operator: Operator,
    *arguments: str,
    answers: Mapping[str, str] = MappingProxyType({}),
    code: int = 0,
    account: Account | None = None,
    piped: str | None = None,
    **environment: str,
) -> str:
    """Run a command, and return what it showed, with escape codes.

    :param answers: by the end of a question, what is typed.
    :param code: the exit code that is expected.
    :param piped: is in standard input, a pipe. Without it, standard input is the terminal.
    """
    variables = operator.environment(arguments, account) | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | environment
    command = operator.command(*arguments)
    pid, terminal = pty.fork()
    if pid == 0:
        if piped is not None:
            reader, writer = os.pipe()
            os.write(writer, piped.encode())
            os.close(writer)
            os.dup2(reader, 0)
        os.chdir(operator.folder)
        os.execve(command[0], command, variables)
    shown, remaining = "", list(answers.items())
    with suppress(OSError):  # Linux' way to say that nobody holds the other side any more
        while select.select([terminal], [], [], _LONGEST)[0] and (data := os.read(terminal, 65536)):
            shown += data.decode(errors="replace")
            if remaining and remaining[0][0] in shown:
                os.write(terminal, remaining.pop(0)[1].encode() + b"\n")
    os.close(terminal)  # which ends the command if it waits for something else
    transcript.append(shown)
    check_output(shown)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code, shown
    assert not remaining, shown
    return shown
