"""Builds the deployment package: the app, its dependencies and their bytecode; the same bytes for the same sources.

Chalice packages sources only, so every cold start would compile every import again, because Lambda's file system is
read-only. It also packages everything that pip resolves, which is more than the app imports. But Chalice uses a package
that is in its cache already, under a name that is a hash of the sources. This module puts the package there: ``chalice
deploy`` and ``chalice package`` ship it until a source changes. ::

    python -m stagectl.packaging --stage prod   # build/prod/deployment.zip and sam.json
    chalice deploy --stage prod                 # uploads the same bytes
"""

import argparse
import compileall
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import chalice.app
from chalice.deploy.packager import LambdaDeploymentPackager
from chalice.utils import UI, OSUtils
from packaging.requirements import InvalidRequirement, Requirement

from stagectl.operator_error import OperatorError
from stagectl.project import hook

PROJECT = Path(__file__).resolve().parent.parent

# Where Lambda unpacks the package. Bytecode contains it, so that tracebacks show no path of this machine.
_IN_LAMBDA = "/var/task"

# What a marker sees of Lambda, wherever the package is built.
_LAMBDA = {"os_name": "posix", "platform_system": "Linux", "sys_platform": "linux"}

IsNeeded = Callable[[str], bool]


class PackageError(OperatorError):
    """The package can't be built."""

    def __init__(self, reason: str, remedy: str, command: str = "") -> None:
        super().__init__(f"The package can't be built: {reason}.", f"Nothing was deployed. {remedy}", command)


def build(stage: str, out: Path, project: Path = PROJECT) -> Path:
    """Build a stage's package and template.

    :param stage: the stage; the package is the same for all, the template is not.
    :param out: the folder for ``deployment.zip`` and ``sam.json``, made if needed.
    :param project: the folder of app.py.
    :return: the path of ``deployment.zip``.
    :raises PackageError: see :func:`prepare`, or ``chalice package`` fails.
    """
    cached = prepare(project)
    content = cached.read_bytes()
    # Chalice requires a region, although the template contains none.
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ}
    command = [str(Path(sys.executable).with_name("chalice")), "package", "--stage", stage, str(out.resolve())]
    _run(command, environment, "chalice package failed", project)
    built = out / "deployment.zip"
    if built.read_bytes() != content:
        raise PackageError("a source changed during the build", "Repeat the command.")
    return built


def prepare(project: Path = PROJECT) -> Path:
    """Put the package into Chalice's cache, unless it is there.

    :param project: the folder of app.py.
    :return: the package's path.
    :raises PackageError: a dependency is not installed as ``requirements.txt`` pins it, a file of the app is neither a
        source nor declared, or a source does not compile.
    """
    files = sorted(_files(project))
    inputs = _digest(files)
    cached = _place_in_cache(project)
    if cached.exists() and _comment(cached) == inputs:
        return cached
    with tempfile.TemporaryDirectory() as folder:
        contents, archive = Path(folder, "contents"), Path(folder, "deployment.zip")
        for name, file in files:
            (contents / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, contents / name)
        _compile(contents)
        _zip(contents, archive, inputs)
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, cached.with_suffix(".new"))
        cached.with_suffix(".new").replace(cached)
    return cached


def _digest(files: list[tuple[str, Path]]) -> bytes:
    """Hash everything that determines the package: the sources, this module and the Python."""
    digest = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes())
    for name, file in files:
        digest.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest().encode()


def _comment(archive: Path) -> bytes:
    try:
        with zipfile.ZipFile(archive) as package:
            return package.comment
    except (OSError, zipfile.BadZipFile):
        return b""  # written by Chalice, or incomplete: it is built again


def _files(project: Path) -> Iterator[tuple[str, Path]]:
    """Yield every source and data file: its name in the package, and its path here."""
    is_needed = selection(hook("PACKAGE_DATA"), hook("PACKAGE_EXCLUDES"))
    yield from files_of_app(project, is_needed)
    runtime = Path(chalice.app.__file__).parent  # chalice's other modules are for deploying
    yield from ((f"chalice/{name}", runtime / name) for name in ("__init__.py", "app.py"))
    for distribution, version in read_pins((PROJECT / "requirements.txt").read_text(encoding="utf-8")):
        yield from files_of_distribution(distribution, version, is_needed)


def selection(data: Collection[str], excludes: Collection[str]) -> IsNeeded:
    """Return which files the package needs, by their names in it.

    :param data: names of the files that are no Python sources.
    :param excludes: regular expressions of the names of sources that it does not need.
    """

    def is_needed(name: str) -> bool:
        return (name.endswith(".py") or name in data) and not any(re.fullmatch(pattern, name) for pattern in excludes)

    return is_needed


def files_of_app(project: Path, is_needed: IsNeeded) -> Iterator[tuple[str, Path]]:
    """Yield the app's files.

    :raises PackageError: chalicelib contains a file that is neither a source nor declared.
    """
    yield "app.py", project / "app.py"
    for file in (project / "chalicelib").rglob("*"):
        name = file.relative_to(project).as_posix()
        if is_needed(name):
            yield name, file
        # An error, because a file that is missing in Lambda is noticed only when a request needs it.
        elif file.is_file() and file.suffix != ".pyc" and not file.name.startswith("."):
            remedy = "Add it to PACKAGE_DATA in operations/package_contents.py, or remove it."
            raise PackageError(f"{name} is neither a Python source nor declared", remedy)


def read_pins(requirements: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of each requirement that applies in Lambda to this Python.

    :raises PackageError: a line is not a pin, such as ``stripe>=16`` or an option of pip. Hashes are accepted.
    """
    for line in requirements.replace("\\\n", " ").splitlines():
        if not (text := re.sub(r"(^|\s)#.*|\s--hash=\S+", "", line).strip()):
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            requirement = None
        if not (requirement and (pinned := re.fullmatch(r"==([^*,]+)", str(requirement.specifier)))):
            reason = f"the line {text} of requirements.txt does not pin a version"
            raise PackageError(reason, "Write it as name==version.")
        if requirement.marker is None or requirement.marker.evaluate(_LAMBDA):
            yield requirement.name, pinned[1]


def files_of_distribution(
    distribution: str, version: str, is_needed: IsNeeded, site_packages: Path | None = None
) -> Iterator[tuple[str, Path]]:
    """Yield an installed distribution's needed files, checked against the hashes recorded at its installation.

    :param site_packages: a folder of installed distributions; this Python's if left out.
    :raises PackageError: another version is installed, it is not pure Python, or a file was changed.
    """
    search_path = [str(site_packages)] if site_packages else sys.path
    installed = next(iter(importlib.metadata.distributions(name=distribution, path=search_path)), None)
    if installed is None or installed.version != version:
        reason = f"{distribution} {version} is required, but {installed.version if installed else 'none'} is installed"
        raise PackageError(reason, "Install it:", "make setup")
    if "Root-Is-Purelib: true" not in (installed.read_text("WHEEL") or ""):
        reason = f"{distribution} is not pure Python, so what is installed here may not run in Lambda"
        raise PackageError(reason, "Use another library, or a version of it that is pure Python.")
    for file in installed.files or []:
        name, path = file.as_posix(), Path(str(file.locate()))
        if is_needed(name) and not name.startswith(".."):
            digest = urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")  # as in PEP 376
            if file.hash and file.hash.value != digest:
                reason = f"{name} was changed after {distribution} was installed"
                raise PackageError(reason, "Install it again:", "make clean setup")
            yield name, path


def _compile(contents: Path) -> None:
    """Write bytecode beside every source. Python never compares the two, because they are shipped together.

    A separate process has the hash seed that the order of sets in the bytecode depends on until Python 3.11.
    """
    arguments = ["-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", str(contents), "-p", _IN_LAMBDA]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": "", "PYTHONPYCACHEPREFIX": ""}
    command = [sys.executable, "-m", "compileall", *arguments, str(contents)]
    _run(command, environment, "the sources do not compile", contents)


def _run(command: list[str], environment: dict[str, str], failure: str, folder: Path) -> None:
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if process.returncode != 0:
        output = (process.stdout + process.stderr).strip().rstrip(".")
        if "Traceback" in output:
            output = output.splitlines()[-1]
        raise PackageError(f"{failure}: {output}", "Fix the error, then repeat the command.")


def _zip(contents: Path, archive: Path, inputs: bytes) -> None:
    """Pack files reproducibly: sorted, without times and owners."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        package.comment = inputs  # what it was built from
        for file in sorted(file for file in contents.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(contents).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            package.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


def _place_in_cache(project: Path) -> Path:
    """Return the path at which Chalice looks for the package of these sources before it builds one."""
    # The name depends on all of chalicelib, bytecode included. Chalice imports app.py first, which writes the bytecode.
    compileall.compile_dir(project / "chalicelib", quiet=1)
    packager = LambdaDeploymentPackager(OSUtils(), None, UI())  # type: ignore[arg-type]
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(packager.deployment_package_filename(str(project), python))


def main() -> None:
    """Build a stage's package from the command line."""
    parser = argparse.ArgumentParser(prog="stagectl.packaging", description="Build a stage's deployment package.")
    parser.add_argument("--stage", default="dev")
    parser.add_argument("--out", type=Path, help="the output folder; build/STAGE by default")
    arguments = parser.parse_args()
    try:
        built = build(arguments.stage, arguments.out or PROJECT / "build" / arguments.stage)
    except PackageError as error:
        sys.exit(f"notes-billing: {error.what} {error.remedy}\n{error.command}".rstrip())
    size = built.stat().st_size
    print(f"{built}: {size / 1e6:.1f} MB, sha256 {hashlib.sha256(built.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
