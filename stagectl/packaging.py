"""Builds what is deployed: the app, its dependencies, and bytecode of exactly these, the same bytes for the same input.

Chalice ships sources alone, so that every cold start compiles every import again, since Lambda's file system can't be
written to; and all that pip resolves, which is more than the app can reach. Chalice does take a package that is in its
cache already, under a name that is a hash of what goes in. So the package is put there: ``chalice deploy`` and
``chalice package`` ship it as it is, until a source changes. ::

    python -m stagectl.package --stage prod     # build/prod/deployment.zip, and sam.json beside it
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
from collections.abc import Iterator
from pathlib import Path

import chalice.app
from chalice.deploy.packager import LambdaDeploymentPackager
from chalice.utils import UI, OSUtils

PROJECT = Path(__file__).resolve().parent.parent

# Where Lambda unpacks the package: it goes into the bytecode, so that tracebacks name no path of this machine.
_IN_LAMBDA = "/var/task"

# Not reached by a request or an event: of stripe-python, which imports these when they are named, the types of
# parameters, the events of Stripe's API v2, and the services. raw_request needs none of them.
_LEFT_OUT = re.compile(r"stripe/(params|events)/.*|stripe/(?!_stripe_service|_oauth_service)(\w+/)*\w+_service\.py")
_DATA = {"stripe/data/ca-certificates.crt", "chalicelib/aws/amazon_roots.pem"}


class PackageError(Exception):
    """The package can't be built; the message says what to do."""


def build(stage: str, out: Path, project: Path = PROJECT) -> Path:
    """Build a stage's package and template, and put the package where Chalice finds it.

    :param stage: the stage; the package is the same for all, the template is not.
    :param out: the folder for ``deployment.zip`` and ``sam.json``, made if needed.
    :param project: the folder of app.py.
    :return: the path of ``deployment.zip``.
    :raises PackageError: a dependency is not installed as ``requirements.txt`` pins it, or Chalice fails.
    """
    cached = prepare(project)
    content = cached.read_bytes()
    _chalice_package(stage, out, project)
    built = out / "deployment.zip"
    if built.read_bytes() != content:
        raise PackageError(f"Chalice has not taken {cached.name} from its cache: a source changed meanwhile, repeat")
    return built


def prepare(project: Path = PROJECT) -> Path:
    """Put the package where Chalice looks for it before it builds one, unless it is there.

    :param project: the folder of app.py.
    :return: the package's path.
    :raises PackageError: a dependency is not installed as ``requirements.txt`` pins it.
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
    """Return a hash of all that the package is made of: the sources, how they are packed, and the Python."""
    digest = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes())
    for name, file in files:
        digest.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest().encode()


def _comment(archive: Path) -> bytes:
    try:
        with zipfile.ZipFile(archive) as packed:
            return packed.comment
    except (OSError, zipfile.BadZipFile):
        return b""  # not ours, or half written: it is built again


def _files(project: Path) -> Iterator[tuple[str, Path]]:
    """Yield every source, and what is read beside it: its name in the package, and where it is here."""
    yield "app.py", project / "app.py"
    for file in (project / "chalicelib").rglob("*"):
        name = file.relative_to(project).as_posix()
        if file.suffix == ".py" or name in _DATA:
            yield name, file
    runtime = Path(chalice.app.__file__).parent  # of chalice, the rest is for deploying
    yield from ((f"chalice/{name}", runtime / name) for name in ("__init__.py", "app.py"))
    for line in (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==([^ ;#]+)", line):
            yield from _files_of(*pinned.groups())


def _files_of(distribution: str, version: str) -> Iterator[tuple[str, Path]]:
    """Yield an installed distribution's files, as they were when it was installed."""
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise PackageError(f"{distribution} is not installed: make setup") from None
    if installed.version != version:
        raise PackageError(f"{distribution} {version} is required, {installed.version} is installed: make setup")
    if "Root-Is-Purelib: true" not in (installed.read_text("WHEEL") or ""):
        raise PackageError(f"{distribution} is not pure Python: what is installed here may not run in Lambda")
    for file in installed.files or []:
        name = file.as_posix()
        if (file.suffix == ".py" or name in _DATA) and not name.startswith("..") and not _LEFT_OUT.fullmatch(name):
            path = Path(str(file.locate()))
            if file.hash and file.hash.value != _record_hash(path):
                raise PackageError(f"{name} is not what {distribution} installed: make clean setup")
            yield name, path


def _record_hash(file: Path) -> str:
    """Return a file's hash as wheels record it (PEP 376)."""
    return urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode().rstrip("=")


def _compile(contents: Path) -> None:
    """Write bytecode beside every source, marked as never to be checked against it: they are shipped together.

    In a process of its own, with the hash seed that the order of sets in the bytecode depends on until Python 3.11.
    """
    command = [sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(contents), "-p", _IN_LAMBDA, str(contents)]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": "", "PYTHONPYCACHEPREFIX": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise PackageError(f"The sources do not compile: {done.stdout}{done.stderr}")


def _zip(contents: Path, archive: Path, inputs: bytes) -> None:
    """Pack files such that the same contents are the same bytes: sorted, without times and owners."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        packed.comment = inputs  # says what it was made of
        for file in sorted(file for file in contents.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(contents).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, file.read_bytes(), compresslevel=9)


def _place_in_cache(project: Path) -> Path:
    """Return where Chalice looks for the package of these sources before it builds one."""
    # The name depends on all of chalicelib, caches too; Chalice imports app.py first, which writes what is not there.
    compileall.compile_dir(project / "chalicelib", quiet=1)
    packager = LambdaDeploymentPackager(OSUtils(), None, UI())  # type: ignore[arg-type]
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(packager.deployment_package_filename(str(project), python))


def _chalice_package(stage: str, out: Path, project: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from chalice.cli import main; main()",
        "package",
        "--stage",
        stage,
        str(out.resolve()),
    ]
    # Chalice wants a region to be set; the template names none.
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise PackageError(f"chalice package failed: {done.stdout}{done.stderr}")


def main() -> None:
    """Build a stage's package from the command line."""
    parser = argparse.ArgumentParser(prog="stagectl.package", description="Build what is deployed to a stage.")
    parser.add_argument("--stage", default="dev")
    parser.add_argument("--out", type=Path, help="the folder to write to; build/STAGE if left out")
    arguments = parser.parse_args()
    try:
        built = build(arguments.stage, arguments.out or PROJECT / "build" / arguments.stage)
    except PackageError as error:
        sys.exit(f"notes-billing: {error}")
    size = built.stat().st_size
    print(f"{built}: {size / 1e6:.1f} MB, sha256 {hashlib.sha256(built.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
