"""The pins of requirements-dev.txt: complete, with hashes, and what pyproject.toml and requirements.txt ask for."""

import re
import sys
from importlib.metadata import requires
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from environment.install import read_sections
from tests import PROJECT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SECTIONS = read_sections((PROJECT / "requirements-dev.txt").read_text())
SETTINGS: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
DEPLOYED = [line for line in (PROJECT / "requirements.txt").read_text().splitlines() if line[0] != "#"]


def own_pins_of(section: str) -> dict[str, Requirement]:
    """Return the pins of a section that apply to this Python."""
    lines = re.findall(r"^\w[^\\\n]*", SECTIONS[section].pins, re.MULTILINE)
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, lines) if applies(pin)}


def pins_of(section: str) -> dict[str, Requirement]:
    """Return those pins, and those of the section's base."""
    return pins_of(SECTIONS[section].base) | own_pins_of(section) if section else {}


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def is_met(requirement: Requirement, pins: dict[str, Requirement]) -> bool:
    pin = pins.get(canonicalize_name(requirement.name))
    return pin is not None and requirement.specifier.contains(str(pin.specifier).removeprefix("=="))


def test_every_pin_has_a_version_and_a_hash():
    pins = [pin for it in SECTIONS.values() for pin in re.findall(r"^\w.*\n(?: .*\n)*", it.pins, re.MULTILINE)]
    assert len(pins) == sum(section.count for section in SECTIONS.values()) > 100
    form = r"[\w.-]+==[\w.]+( ; [^\\\n]+)? (\\\n    --hash=sha256:[0-9a-f]{64} ?)+\n"
    assert [pin for pin in pins if not re.fullmatch(form, pin)] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_meets_its_direct_requirements(section: str):
    direct = [*SETTINGS["dependency-groups"][section]]
    if section == "run":
        direct += [*DEPLOYED, *SETTINGS["project"]["dependencies"]]
    pins = pins_of(section)
    assert [it for it in map(Requirement, direct) if applies(it) and not is_met(it, pins)] == []


@pytest.mark.parametrize("section", ["run", "bench", "test"])
def test_a_section_meets_what_its_packages_require(section: str):
    """pip installs it without looking for dependencies."""
    pins = pins_of(section)
    for name in own_pins_of(section):
        needed = [it for it in map(Requirement, requires(name) or ()) if it.name != "pip" and applies(it)]
        assert [it for it in needed if not is_met(it, pins)] == [], name


def test_make_run_installs_no_test_tools():
    assert pins_of("run").keys() & {"cfn-lint", "mypy", "playwright", "pytest", "ruff", "sympy"} == set()
