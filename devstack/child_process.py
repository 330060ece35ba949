"""Child processes of the stack, whose output is passed on line by line, and which end with the stack."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
_STOP_TIMEOUT = 5.0  # seconds


def end_with_parent() -> None:
    """End this process when its parent, which started it as a :class:`Child`, has ended for any reason.

    The parent holds the other end of standard input open and writes nothing, so a read returns when the parent ends.
    """

    def wait() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


class Child:
    """`python -m MODULE ARGUMENTS`, in the project's folder. The module calls :func:`end_with_parent`."""

    def __init__(self, arguments: list[str], environment: dict[str, str], show: Callable[[str], None]) -> None:
        """Start the process.

        :param show: gets each line that the process prints.
        """
        # A session of its own: Ctrl-C reaches only the runner, which then stops the parts in order.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", *arguments], cwd=PROJECT, env={**environment, "PYTHONUNBUFFERED": "1"},
            text=True, errors="replace", start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(show,), name=arguments[0], daemon=True)
        self._reader.start()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, by itself or otherwise."""
        return self._process.poll() is not None

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

    def _read(self, show: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            show(line.rstrip())
