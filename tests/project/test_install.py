"""make installs exactly what requirements-dev.txt pins, and nothing twice."""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from environment.install import InstallError, install


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one installed section."""
    project = tmp_path_factory.mktemp("a project")
    add_venv(project)
    wheel = make_wheel(project, "one")
    (project / "requirements-dev.txt").write_text(f"# [first]\none==1 --hash=sha256:{wheel}\n")
    with pytest.MonkeyPatch.context() as patch:
        offline(patch, project)
        install("first", project)
    return project


@pytest.fixture
def project(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project, without a link to this machine's packages."""
    shutil.copytree(installed, tmp_path / "a project", symlinks=True)
    offline(monkeypatch, tmp_path / "a project")
    return tmp_path / "a project"


def add_venv(project: Path) -> None:
    """Add a virtual environment that sees the packages of this one, pip among them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    (packages,) = project.glob(".venv/lib/*/site-packages")
    (packages / "installed_already.pth").write_text(sysconfig.get_path("purelib"))


def offline(patch: pytest.MonkeyPatch, project: Path) -> None:
    """Let pip find packages in the project's folder only."""
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", project.as_uri())


def make_wheel(project: Path, name: str) -> str:
    """Write a package with one module, and return its hash."""
    wheel, info = project / f"{name}-1-py3-none-any.whl", f"{name}-1.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\nRequires-Dist: more\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def pin(project: Path, line: str, section: str = "second") -> None:
    """Add a section that is based on the installed one."""
    with (project / "requirements-dev.txt").open("a") as file:
        file.write(f"# [{section}] after [first]\n{line}\n")


def modules(project: Path) -> set[str]:
    return {file.stem for file in project.glob(".venv/lib/*/site-packages/*.py")}


def test_a_package_with_another_hash_than_its_pin_is_not_installed(project: Path):
    right = make_wheel(project, "two")
    pins = (project / "requirements-dev.txt").read_text()
    pin(project, f"two==1 --hash=sha256:{'0' * 64}")
    for _ in range(2):  # make repeats it, because there is no mark
        with pytest.raises(InstallError):
            install("second", project)
    assert "two" not in modules(project)
    (project / "requirements-dev.txt").write_text(pins)
    pin(project, f"two==1 --hash=sha256:{right}")
    install("second", project)
    assert {"one", "two"} <= modules(project)


@pytest.mark.parametrize("line", ["two==1", "two --hash=sha256:{hash}"])
def test_a_line_without_a_hash_or_a_version_is_an_error(project: Path, line: str):
    pin(project, line.replace("{hash}", make_wheel(project, "two")))
    with pytest.raises(InstallError):
        install("second", project)
    assert "two" not in modules(project)


def test_a_package_that_has_to_be_built_is_an_error(project: Path):
    """What it is built with has no hash."""
    make_wheel(project, "two")
    source = project / "two-1"
    source.mkdir()
    wheel = (project / "two-1-py3-none-any.whl").rename(source / "built.whl")
    copy = f"__import__('shutil').copy({wheel.name!r}, folder + '/two-1-py3-none-any.whl') and 'two-1-py3-none-any.whl'"
    (source / "backend.py").write_text(f"def build_wheel(folder, *_, **__):\n    return {copy}\n")
    settings = "requires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    (source / "pyproject.toml").write_text(f"[build-system]\n{settings}")
    archive = Path(shutil.make_archive(str(source), "gztar", project, source.name))
    pin(project, f"two==1 --hash=sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}")
    with pytest.raises(InstallError):
        install("second", project)
    assert "two" not in modules(project)


def test_only_what_is_missing_or_changed_is_installed(project: Path):
    pin(project, f"two==1 --hash=sha256:{make_wheel(project, 'two')}")
    (project / "one-1-py3-none-any.whl").unlink()
    shutil.rmtree(next(project.glob(".venv/lib/*/site-packages/one-1.dist-info")))
    install("second", project)
    with (project / "requirements-dev.txt").open("a") as file:
        file.write(f"three==1 --hash=sha256:{make_wheel(project, 'three')}\n")
    install("second", project)
    assert "three" in modules(project)
    shutil.rmtree(project / ".venv" / "bin")  # neither Python nor pip is called again
    install("second", project)


@pytest.mark.slow
def test_of_two_targets_at_once_both_are_installed(project: Path):
    for name in ("two", "three"):
        pin(project, f"{name}==1 --hash=sha256:{make_wheel(project, name)}", name)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: install(name, project), ("two", "three")))
    assert {"two", "three"} <= modules(project)


def test_what_is_deployed_is_what_is_installed(project: Path):
    (project / "requirements.txt").write_text("stripe==16.1.0\ntyping_extensions==4.16.0\n")
    (project / "pyproject.toml").touch()
    (project / "requirements-dev.txt").write_text("# [run]\nstripe==16.1.0 \\\ntyping-extensions==4.15.0 \\\n")
    with pytest.raises(InstallError, match=r"typing_extensions 4\.16\.0.*\nmake pins$"):
        install("run", project)
