"""`python -m tests.mutants [FILE.yaml ...]`: break one line, run the tests that ought to notice, and repeat.

Each mutant is changed in a copy of the checkout. It is noticed if a test fails. A mutant that prevents the tests from
being collected is an error, since it shows nothing about a test.
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

_PROJECT = Path(__file__).parents[2]
_NOT_COPIED = (".git", ".venv", "__pycache__", "build", "*.egg-info", "accounts.json", "deployments", ".*_cache")
_TIMEOUT = 180.0  # seconds; a test that hangs has noticed
_PASSED, _FAILED = 0, 1  # pytest's exit codes


class InvalidMutantError(Exception):
    """A mutant does not fit the sources, or the tests cannot be run with it."""


@dataclass(frozen=True)
class Mutant:
    """A file in which ``replace``, which occurs once, becomes ``by``; and the pytest arguments that notice."""

    file: str
    replace: str
    by: str
    tests: str

    def __str__(self) -> str:
        return f"{self.file}: {' '.join(self.replace.split())[:80]}"

    def apply(self, project: Path) -> str:
        """Change the file in a copy of the project, and return its original text."""
        original = (project / self.file).read_text(encoding="utf-8")
        if original.count(self.replace) != 1:
            raise InvalidMutantError(f"{self}\n  the text occurs {original.count(self.replace)} times, not once")
        (project / self.file).write_text(original.replace(self.replace, self.by), encoding="utf-8")
        return original


def load(files: list[Path]) -> list[Mutant]:
    """Read mutants from YAML files. Each of a row's ``changes`` is one: a text, and what it becomes."""
    rows = [row for file in files for row in yaml.safe_load(file.read_text(encoding="utf-8"))]
    return [Mutant(row["file"], replace, by, row["tests"]) for row in rows for replace, by in row["changes"].items()]


def has_failure(project: Path, arguments: list[str], *, show: bool = False) -> bool:
    """Run pytest in a copy of the project, and return whether a test failed or took too long.

    :raises InvalidMutantError: pytest could not run the tests.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # bytecode of an unmutated file may look current
    try:
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    if done.returncode not in (_PASSED, _FAILED):
        raise InvalidMutantError(
            f"pytest could not run {' '.join(arguments)}:\n{done.stdout[-2000:]}{done.stderr[-500:]}"
        )
    if show and done.returncode:
        print(done.stdout[-3000:])
    return done.returncode == _FAILED


def is_noticed(mutant: Mutant, project: Path) -> bool:
    """Return whether a test fails with the mutant.

    :raises InvalidMutantError: the tests can't be run with it.
    """
    original = mutant.apply(project)
    try:
        return has_failure(project, mutant.tests.split())
    finally:
        (project / mutant.file).write_text(original, encoding="utf-8")


def main(files: list[Path]) -> int:
    """Try all mutants. Return 1 if a test does not notice one."""
    mutants, began, projects = load(files), time.monotonic(), queue.Queue[Path]()
    workers = os.cpu_count() or 1
    survivors: list[str] = []

    def try_mutant(mutant: Mutant) -> None:
        project, start = projects.get(), time.monotonic()
        try:
            verdict = "noticed" if is_noticed(mutant, project) else "SURVIVED"
        except InvalidMutantError as error:
            verdict = f"INVALID ({error})"
        finally:
            projects.put(project)
        if verdict != "noticed":
            survivors.append(f"{mutant}  {verdict}  [{mutant.tests}]")
        print(f"{verdict}  {time.monotonic() - start:5.1f} s  {mutant}", flush=True)

    with tempfile.TemporaryDirectory(prefix="notes-billing-mutants-") as folder:
        for number in range(workers):
            copy = Path(folder, str(number))
            shutil.copytree(_PROJECT, copy, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
            projects.put(copy)
        tests = sorted({argument for mutant in mutants for argument in mutant.tests.split()})
        print(f"{len(mutants)} mutants; first, their tests without a mutant", flush=True)
        if has_failure(Path(folder, "0"), ["-n", str(workers), "--dist", "loadgroup", *tests], show=True):
            print("A test fails without a mutant. Fix it first: make test-all")
            return 1
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(try_mutant, mutants))
    print(*survivors, sep="\n")
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants noticed in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]] or sorted(Path(__file__).parent.glob("*.yaml"))))
