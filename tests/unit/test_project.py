"""The project itself: what may import what, what pip installs, and how a checkout is set up."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import PathDistribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.stack import PROJECT

PACKAGES = {"stagectl", "stagectl/aws", "stagectl/commands", "stagectl/doctor", "stagectl/doctor/checks"}
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


def test_every_package_of_stagectl_is_in_the_wheel():
    packages = {file.parent.relative_to(PROJECT).as_posix() for file in (PROJECT / "stagectl").rglob("__init__.py")}
    assert packages | {"stagectl/aws"} == PACKAGES
    assert (PROJECT / "stagectl" / "aws").readlink() == Path("../chalicelib/aws")


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


def test_make_setup_in_a_path_with_spaces_installs_stagectl_and_runs_once(tmp_path: Path):
    checkout = copy_project(tmp_path / "a b" / "c d")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    # The requirements of this run are visible there, so that pip downloads nothing.
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = checkout / ".venv" / "lib" / python / "site-packages"
    (packages / "installed_already.pth").write_text(sysconfig.get_path("purelib"))
    make = ["make", f"PYTHON={sys.executable}", "setup"]
    first = subprocess.run(make, cwd=checkout, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    for folder in (checkout, checkout / "docs"):
        command = [checkout / ".venv" / "bin" / "stagectl", "--help"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert subprocess.run(["make", "--question", "setup"], cwd=checkout, check=False).returncode == 0


def test_app_py_imports_chalicelib_and_stagectl_only_for_chalices_command_line():
    tree = ast.parse((PROJECT / "app.py").read_text())
    optional = [node for branch in tree.body if isinstance(branch, ast.If | ast.Try) for node in ast.walk(branch)]
    optional += [node for it in tree.body if isinstance(it, ast.FunctionDef) for node in ast.walk(it)]
    allowed = {*sys.stdlib_module_names, "chalice", "chalicelib"}
    assert {name for name in _imports(tree) if name.partition(".")[0] not in allowed} <= {"stagectl.project_check"}
    at_once = [node for node in ast.walk(tree) if node not in optional]
    assert {name for node in at_once for name in _imported(node) if name.startswith("stagectl")} == set()


def test_editors_and_ruff_agree_on_the_line_length_and_indentation():
    editor = configparser.ConfigParser()
    editor.read_string("[DEFAULT]\n" + (PROJECT / ".editorconfig").read_text())
    settings = (PROJECT / "pyproject.toml").read_text()
    assert f"line-length = {editor['*']['max_line_length']}\n" in settings
    assert "indent-width" not in settings  # ruff's default is 4
    assert editor["*.{py,pyi}"]["indent_size"] == "4"


def _version() -> str:
    found = re.search(r'__version__ = "(.+)"', (PROJECT / "chalicelib" / "__init__.py").read_text())
    assert found
    return found[1]


def _third_party_imports(folder: Path) -> set[str]:
    files = [file for name in PACKAGES for file in (PROJECT / name).glob("*.py")]
    names = {name.partition(".")[0] for file in files for name in _imports(ast.parse(file.read_text()))}
    return {_INSTALLED_AS.get(name, name) for name in names} - {*sys.stdlib_module_names, folder.name}


def _imports(tree: ast.AST) -> set[str]:
    return {name for node in ast.walk(tree) for name in _imported(node)}


def _imported(node: ast.AST) -> list[str]:
    """Name the modules that a statement imports, without relative imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        # In `from package import module` the module counts, and in `from module import name` too: module.name.
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []
