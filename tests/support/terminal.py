"""A terminal in which an operator runs `stagectl`: what is shown there, and what is typed."""

import os
import pty
import select
import signal
import time
from types import TracebackType

from tests.support.cloud import Account
from tests.support.command_lines import check_output
from tests.support.operator_session import Operator
from tests.support.stack import transcript

_LONGEST = 60.0  # seconds


class Terminal:
    """A command that runs in a pseudo-terminal; what it showed, escape codes too, is :attr:`shown`."""

    def __init__(
        self,
        operator: Operator,
        *arguments: str,
        account: Account | None = None,
        piped: str | None = None,
        **environment: str,
    ) -> None:
        """:param piped: is in standard input, a pipe. Without it, standard input is the terminal."""
        stage = arguments[arguments.index("--stage") + 1] if "--stage" in arguments else "dev"
        of_account = (account or operator.account_of(stage)).environment()
        variables = {**of_account, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment}
        command = operator.command(*arguments)
        self.shown = ""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            if piped is not None:
                reader, writer = os.pipe()
                os.write(writer, piped.encode())
                os.close(writer)
                os.dup2(reader, 0)
            os.chdir(operator.folder)
            os.execve(command[0], command, variables)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        transcript.append(self.shown)
        check_output(self.shown)
        os.close(self._terminal)

    def wait_for(self, text: str) -> None:
        """Read until a text is shown."""
        give_up = time.monotonic() + _LONGEST
        while text not in self.shown:
            assert time.monotonic() < give_up, self.shown
            assert self._read(), self.shown

    def types(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def interrupts(self) -> None:
        """What Ctrl-C does."""
        os.killpg(os.getpgid(self.pid), signal.SIGINT)

    def ends(self) -> int:
        """Read to the end, and return the exit code."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], _LONGEST)[0]:
            raise AssertionError(f"nothing more is shown: {self.shown}")
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # Linux' way to say that nobody holds the other side any more
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
