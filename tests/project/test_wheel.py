"""What pip installs of this project: stagectl, alone and complete."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import PROJECT
from tests.project.test_install import add_venv
from tests.unit.test_project import PACKAGES, imports

_INSTALLED_AS = {"botocore": "boto3"}  # boto3 brings the botocore that fits it


def copy_project(folder: Path) -> Path:
    """Copy the files that pip and make read, and packages that must not be installed."""
    shutil.copytree(PROJECT, folder, symlinks=True, ignore=_ignore)
    return folder


def _ignore(folder: str, names: list[str]) -> set[str]:
    caches = {name for name in names if name in {"__pycache__", "node_modules"}}
    hidden = {name for name in names if name.startswith(".") and name not in {".chalice", ".gitignore"}}
    return caches | hidden | {"build"} if Path(folder) == PROJECT else caches


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel of a copy of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_project(folder / "source")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, source], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_contains_stagectl_and_no_other_package(unpacked_wheel: Path):
    files = {file.relative_to(unpacked_wheel) for file in unpacked_wheel.rglob("*") if file.is_file()}
    files = {file for file in files if not file.parts[0].endswith(".dist-info")}
    sources = {file.relative_to(PROJECT) for name in PACKAGES for file in (PROJECT / name).glob("*.py")}
    assert files == {*sources, Path("stagectl/aws/amazon_roots.pem")}


def test_the_wheel_names_its_version_license_command_and_requirements(unpacked_wheel: Path):
    installed = PathDistribution(next(unpacked_wheel.glob("*.dist-info")))
    assert installed.version == _version()
    assert installed.metadata["License-Expression"] == "MIT"
    assert [(entry.name, entry.value) for entry in installed.entry_points] == [("stagectl", "stagectl.cli:main")]
    requirements = [Requirement(line) for line in installed.requires or []]
    assert {requirement.name for requirement in requirements} == _third_party_imports(PROJECT / "stagectl")
    assert [str(it) for it in requirements if version(it.name) not in it.specifier] == []


def test_the_wheel_reads_secrets_without_another_package(unpacked_wheel: Path):
    program = "import sys; sys.path.insert(0, sys.argv[1]); import stagectl.aws.secret as it; print(it.__file__)"
    command = [sys.executable, "-B", "-I", "-S", "-c", program, str(unpacked_wheel)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == str(unpacked_wheel / "stagectl" / "aws" / "secret.py")


@pytest.mark.slow
def test_make_setup_in_a_path_with_spaces_installs_stagectl_and_runs_once(tmp_path: Path):
    checkout = copy_project(tmp_path / "a b" / "c d")
    add_venv(checkout)
    make = ["make", f"PYTHON={sys.executable}", "setup"]
    first = subprocess.run(make, cwd=checkout, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    for folder in (checkout, checkout / "docs"):
        command = [checkout / ".venv" / "bin" / "stagectl", "--help"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert subprocess.run(["make", "--question", ".venv/.run"], cwd=checkout, check=False).returncode == 0


def _version() -> str:
    found = re.search(r'__version__ = "(.+)"', (PROJECT / "chalicelib" / "__init__.py").read_text())
    assert found
    return found[1]


def _third_party_imports(folder: Path) -> set[str]:
    files = [file for name in PACKAGES for file in (PROJECT / name).glob("*.py")]
    names = {name.partition(".")[0] for file in files for name in imports(ast.parse(file.read_text()))}
    return {_INSTALLED_AS.get(name, name) for name in names} - {*sys.stdlib_module_names, folder.name}
