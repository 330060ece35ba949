"""Installs a section of requirements-dev.txt into .venv, by ``make`` before the first target that needs it.

Runs before anything is installed, so it imports only the standard library. ::

    python -m environment.install test
"""

import fcntl
import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PINS = "requirements-dev.txt"
DEPLOYED = "requirements.txt"

# Installing this section installs the project itself too, so that there is a command stagectl.
_WITH_PROJECT = "run"


class InstallError(Exception):
    """The environment is incomplete. The message gives the reason, and the next step."""


@dataclass(frozen=True)
class Section:
    """Pinned packages with their hashes: what a target needs besides the section ``base``."""

    name: str
    base: str
    pins: str

    @property
    def count(self) -> int:
        """The number of pins."""
        return len(re.findall(r"^[\w.-]+==", self.pins, re.MULTILINE))


def read_sections(text: str) -> dict[str, Section]:
    """Return the sections of ``requirements-dev.txt`` by name."""
    parts = re.split(r"^# \[(\w+)\](?: after \[(\w+)\])?\n", text, flags=re.MULTILINE)[1:]
    return {name: Section(name, base or "", pins) for name, base, pins in zip(*[iter(parts)] * 3, strict=True)}


def install(name: str, project: Path = PROJECT, venv: str = ".venv") -> None:
    """Install a section and its base, unless their marks show that they are installed.

    :param venv: the folder of the environment, in that of the project.
    :raises InstallError: pip failed, for example because a package does not have a hash of its pin, or requirements.txt
        was changed without ``make pins``.
    """
    with (project / PINS).open(encoding="utf-8") as pins:
        fcntl.flock(pins, fcntl.LOCK_EX)  # another make waits, then finds what this one has installed
        _install_missing(name, read_sections(pins.read()), project, venv)


def _install_missing(name: str, sections: dict[str, Section], project: Path, venv: str) -> None:
    needed = [sections[name]]
    while needed[0].base:
        needed.insert(0, sections[needed[0].base])
    marks = {section: project / venv / f".{section.name}" for section in needed}
    missing = [section for section, mark in marks.items() if _read(mark) != _digest(section, project)]
    if missing:
        _install(missing, project, venv)
    # Last, so that an interrupted installation starts again. Always, because make compares times.
    for section, mark in marks.items():
        mark.write_text(_digest(section, project), encoding="utf-8")


def _check_deployed(section: Section, project: Path) -> None:
    """Compare what is installed with what is deployed."""
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", (project / DEPLOYED).read_text("utf-8"), re.MULTILINE):
        if f"\n{re.sub('[-_.]+', '-', name).lower()}=={version} " not in f"\n{section.pins}":
            raise InstallError(f"{DEPLOYED} requires {name} {version}, but {PINS} does not. Update it:\nmake pins")


def _digest(section: Section, project: Path) -> str:
    own = [project / name for name in (DEPLOYED, "pyproject.toml") if section.name == _WITH_PROJECT]
    return hashlib.sha256("".join([section.pins, *(file.read_text("utf-8") for file in own)]).encode()).hexdigest()


def _read(mark: Path) -> str:
    return mark.read_text(encoding="utf-8") if mark.exists() else ""


def _install(sections: list[Section], project: Path, venv: str) -> None:
    python = project / venv / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--no-deps"]
    count = sum(section.count for section in sections)
    with_project = sections[0].name == _WITH_PROJECT
    if with_project:
        _check_deployed(sections[0], project)
    if not sections[0].base:
        print(f"Creating {venv}", flush=True)
        _run([sys.executable, "-m", "venv", venv], project)
    print(f"Installing packages for {' and '.join(it.name for it in sections)} in {venv}: {count}", flush=True)
    (project / venv / "pins.txt").write_text("".join(section.pins for section in sections), encoding="utf-8")
    options = ["--require-hashes", "--only-binary", ":all:", "--no-compile", "--progress-bar", "off"]
    _run([*pip, *options, "--requirement", f"{venv}/pins.txt"], project, count)
    if with_project:
        print("Installing stagectl from this folder", flush=True)
        _run([*pip, "--quiet", "--no-index", "--no-build-isolation", "--editable", "."], project)
    # As pip would, but on every core. Some packages contain templates that are no Python: that is no error.
    compile_all = [str(python), "-m", "compileall", "-qq", "-j", "0", f"{venv}/lib"]
    subprocess.run(compile_all, cwd=project, check=False)  # noqa: S603


def _run(command: list[str], project: Path, count: int = 0) -> None:
    """Run a command. If it is pip with ``count`` packages to install, report its progress instead of its output."""
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE if count else None, text=True) as process:  # noqa: S603
        collected = 0
        for line in process.stdout or ():
            if line.startswith(("Collecting ", "Processing ", "Ignoring ", "Requirement already satisfied: ")):
                collected += 1
                if collected % 10 == 0:
                    print(f"  {collected} of {count} are here", flush=True)
            elif line.startswith("Installing collected packages"):
                print(f"  unpacking {len(line.split(','))}", flush=True)
    if process.returncode:
        raise InstallError(f"`{' '.join(command[1:3])}` failed. Fix the error above, then repeat the command.")


if __name__ == "__main__":
    try:
        install(sys.argv[1])
    except InstallError as error:
        sys.exit(f"notes-billing: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
