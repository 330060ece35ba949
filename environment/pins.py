"""Writes requirements-dev.txt, by `make pins`: every package with its hashes, resolved for all supported Pythons.

The direct requirements are in requirements.txt and pyproject.toml. Arguments are uv's::

    make pins                                       # after a change there
    make pins ARGS="--upgrade-package hypothesis"   # or --upgrade, for all packages
"""

import re
import subprocess
import sys

from environment.install import DEPLOYED, PINS, PROJECT, InstallError, install, read_sections

# Each section, the one whose packages it does not repeat, and what uv reads besides the dependency group of its name.
_SECTIONS: dict[str, tuple[str, list[str]]] = {
    "run": ("", [DEPLOYED, "pyproject.toml"]),
    "bench": ("run", []),
    "test": ("bench", []),
    "lint": ("run", []),
    "pins": ("", []),
}
_FOLDER = "build/uv"
_HEADER = """\
# Written by `make pins` from requirements.txt and pyproject.toml: change those instead.
# A make target installs its section, and before it the one that its heading names.
"""


def _resolve(*arguments: str) -> str:
    """Return what `uv pip compile` resolves: pins that every supported Python can install, from wheels alone."""
    options = ["--universal", "--python-version", "3.10", "--fork-strategy", "fewest", "--only-binary", ":all:"]
    output = [
        "--quiet",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--strip-extras",
        "--no-emit-package",
        "pip",
    ]
    command = [f"{_FOLDER}/bin/uv", "pip", "compile", "--cache-dir", f"{_FOLDER}/cache", *options, *output, *arguments]
    return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def _pins_of(text: str) -> dict[str, str]:
    """Return each pin with its hashes by its first line: name, version and marker. Windows is not supported."""
    pins = {pin.partition("\n")[0]: pin for pin in re.findall(r"^\w.*\n(?: .*\n)*", text, re.MULTILINE)}
    return {line: pin for line, pin in pins.items() if "sys_platform == 'win32'" not in line}


def _with_base(name: str, sections: dict[str, dict[str, str]]) -> set[str]:
    """Return the first lines of a section's pins and of those it is based on."""
    return {*sections[name], *_with_base(_SECTIONS[name][0], sections)} if name else set()


def write_pins(arguments: list[str]) -> None:
    """Resolve all sections together, then each within that resolution."""
    install("pins", venv=_FOLDER)
    file, every = PROJECT / PINS, f"{_FOLDER}/every.txt"
    # uv keeps the versions of the file that it overwrites.
    (PROJECT / every).write_text("".join(it.pins for it in read_sections(file.read_text("utf-8")).values()), "utf-8")
    sources = {name: [*files, "--group", name] for name, (_, files) in _SECTIONS.items()}
    _resolve(*(source for section in sources.values() for source in section), "--output-file", every, *arguments)
    sections: dict[str, dict[str, str]] = {}
    text = _HEADER
    for name, (base, _) in _SECTIONS.items():
        pins = _pins_of(_resolve(*sources[name], "--constraint", every))
        sections[name] = {line: pin for line, pin in pins.items() if line not in _with_base(base, sections)}
        text += f"\n# [{name}]{f' after [{base}]' * bool(base)}\n{''.join(sections[name].values())}"
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        write_pins(sys.argv[1:])
    except (InstallError, subprocess.CalledProcessError) as error:
        sys.exit(f"notes-billing: {PINS} is unchanged: {error}")
