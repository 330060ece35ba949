"""`stagectl` in processes that have imported its dependencies already: a third of the time of a fresh one.

A server process imports them and forks for each command. It knows nothing of stagectl itself, which each fork imports
from the checkout that it works in. What depends on how Python starts needs a fresh process.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

_LONGEST = 100.0  # seconds
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.support.forks_preload"])


def run(arguments: list[str], cwd: Path, env: dict[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
    """Run `stagectl` with its streams in files, and wait for its end."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(stdin)
        process = _processes.Process(target=_become_stagectl, args=(arguments, cwd, env, files), daemon=True)
        process.start()
        process.join(_LONGEST)
        assert process.exitcode is not None, f"{arguments} did not end"
        return subprocess.CompletedProcess(arguments, process.exitcode, *(file.read_text() for file in files[1:]))


def _become_stagectl(arguments: list[str], cwd: Path, env: dict[str, str], files: list[Path]) -> None:
    os.setsid()  # without a terminal, whatever pytest has
    for number, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for name in [name for name in sys.modules if name.partition(".")[0] == "chalicelib"]:
        del sys.modules[name]  # tests/__init__.py imported this checkout's, but stagectl works on another one
    sys.argv, sys.path[0] = ["stagectl", *arguments], str(cwd)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    runpy.run_module("stagectl", run_name="__main__", alter_sys=True)
