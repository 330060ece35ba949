"""Child processes of the stack, whose output is passed on line by line, and which end with the stack.

A child reports over a pipe that it is ready, and later that it accepts no more work. The runner writes to a child's
standard input when the child is to finish what it has and end.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
_STOP_TIMEOUT = 5.0  # seconds
_STATUS_PIPE = "DEVSTACK_STATUS_PIPE"  # the variable with the number of the pipe's file descriptor
_READY = b"ready"


class Parent:
    """The process that started this one as a :class:`Child`; this process ends when it has ended for any reason."""

    def __init__(self) -> None:
        """Follow the parent from now on. Do this before importing code that may block."""
        self.on_finish: Callable[[], None] = lambda: None
        pipe = os.environ.pop(_STATUS_PIPE, "")
        self._pipe = os.fdopen(int(pipe), "wb", buffering=0) if pipe else None
        if self._pipe:
            os.set_inheritable(self._pipe.fileno(), False)
        threading.Thread(target=self._follow, name="parent", daemon=True).start()

    def report_ready(self) -> None:
        """Report that this process accepts work."""
        if self._pipe:
            self._pipe.write(_READY)

    def report_finishing(self) -> None:
        """Report that this process accepts no more work."""
        if self._pipe:
            self._pipe.close()

    def _follow(self) -> None:
        # The parent holds the other end of standard input open, so a read returns nothing once the parent has ended.
        while os.read(0, 1):
            threading.Thread(target=self.on_finish, name="finish", daemon=True).start()
        os.kill(os.getpid(), signal.SIGTERM)


class Child:
    """`python -m MODULE ARGUMENTS`, in the project's folder. The module creates a :class:`Parent`."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        show: Callable[[str], None],
        listener: socket.socket | None = None,
    ) -> None:
        """Start the process.

        :param show: gets each line that the process prints.
        :param listener: a socket that the process gets, under the same file descriptor.
        """
        pipe, childs_pipe = os.pipe()
        os.set_blocking(pipe, False)
        self._pipe = os.fdopen(pipe, "rb", buffering=0)
        self._is_ready = self._is_finishing = False
        descriptors = [childs_pipe] if listener is None else [childs_pipe, listener.fileno()]
        try:
            # A session of its own: Ctrl-C reaches only the runner, which then stops the parts in order.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *arguments], cwd=PROJECT, pass_fds=descriptors,
                env={**environment, "PYTHONUNBUFFERED": "1", _STATUS_PIPE: str(childs_pipe)},
                text=True, errors="replace", start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            os.close(childs_pipe)
        self._reader = threading.Thread(target=self._read, args=(show,), name=arguments[0], daemon=True)
        self._reader.start()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, by itself or otherwise."""
        return self._process.poll() is not None

    @property
    def is_ready(self) -> bool:
        """Whether the process has reported that it accepts work."""
        self._read_status()
        return self._is_ready

    @property
    def is_finishing(self) -> bool:
        """Whether the process accepts no more work: it has reported that, or has ended."""
        self._read_status()
        return self._is_finishing

    def finish(self) -> None:
        """Let the process finish what it has, and end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Stop the process: SIGTERM, and SIGKILL after five seconds."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.join()

    def _read_status(self) -> None:
        while not self._is_finishing and (status := self._pipe.read(len(_READY))) is not None:
            self._is_ready |= status == _READY
            self._is_finishing |= status == b""

    def _read(self, show: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            show(line.rstrip())
