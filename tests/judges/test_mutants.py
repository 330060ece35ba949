"""The runner of mutants: one that no test notices is reported, and so is one that shows nothing."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import InvalidMutantError, Mutant, is_noticed

SOURCE = "def double(x):\n    return 2 * x\n"
TESTS = "from source import double\n\ndef test_double():\n    assert double(2) == 4\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "source.py").write_text(SOURCE)
    (tmp_path / "test_source.py").write_text(TESTS)
    (tmp_path / "conftest.py").touch()
    return tmp_path


@pytest.mark.parametrize(("by", "noticed"), [("return 3 * x", True), ("return x * x", False)])
def test_a_mutant_is_noticed_if_a_test_fails(project: Path, by: str, noticed: bool):
    assert is_noticed(Mutant("source.py", "return 2 * x", by, "test_source.py"), project) is noticed
    assert (project / "source.py").read_text() == SOURCE


@pytest.mark.parametrize(
    ("replace", "by", "tests"),
    [
        ("return 3 * x", "return x", "test_source.py"),  # not in the file
        ("x", "y", "test_source.py"),  # twice
        ("def double", "def triple", "test_source.py"),  # the tests can't be collected
        ("return 2 * x", "return x", "test_elsewhere.py"),
    ],
)
def test_a_mutant_that_shows_nothing_is_an_error(project: Path, replace: str, by: str, tests: str):
    with pytest.raises(InvalidMutantError):
        is_noticed(Mutant("source.py", replace, by, tests), project)
    assert (project / "source.py").read_text() == SOURCE
