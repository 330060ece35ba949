"""Builds this service and its rivals as Lambda unpacks them: build/bench/NAME, again only when an input changed."""

import compileall
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from stagectl import packaging

PROJECT = Path(__file__).resolve().parent.parent
OUT = PROJECT / "build" / "bench"
_RIVALS = Path(__file__).parent / "rivals"


@dataclass(frozen=True)
class Rival:
    """One way to build the service.

    ``name``: of its folder. ``title``: its name in tables. ``language``: python or node. ``handler``: module and name.
    ``build``: returns the archive that the rival's own tool makes, or fills the rival's folder and returns None.
    """

    name: str
    title: str
    language: str
    handler: str
    build: Callable[["Rival"], Path | None]

    @property
    def folder(self) -> Path:
        """The unpacked package."""
        return OUT / self.name

    @property
    def archive(self) -> Path:
        """The package that is uploaded."""
        return OUT / f"{self.name}.zip"


class BuildError(Exception):
    """A rival can't be built; the message is the output of the command that failed."""


def build_all() -> tuple[list[Rival], list[str]]:
    """Build the rivals whose tools are installed.

    :return: the rivals, this service first, and one line for each that is skipped.
    :raises BuildError: a build command fails.
    """
    rivals, skipped = [], []
    for rival in (OURS, OBVIOUS, TUNED, POWERTOOLS, NODE_2, NODE_3):
        if rival.language == "node" and not (shutil.which("node") and shutil.which("npm")):
            skipped.append(f"{rival.title}: skipped, because node or npm is not installed")
            continue
        _build(rival)
        rivals.append(rival)
    if not python().exists():
        _run([sys.executable, "-m", "venv", "--without-pip", str(OUT / "python")], PROJECT)
    return rivals, skipped


def python() -> Path:
    """Return an interpreter with empty site-packages that runs its site module, as Lambda's does."""
    return OUT / "python" / "bin" / "python"


def _build(rival: Rival) -> None:
    digest, built = _digest(rival), OUT / f"{rival.name}.built"
    if built.exists() and built.read_text(encoding="utf-8") == digest:
        return
    print(f"building {rival.title}", file=sys.stderr)
    shutil.rmtree(rival.folder, ignore_errors=True)
    rival.folder.mkdir(parents=True)
    archive = rival.build(rival)
    if archive:
        shutil.copyfile(archive, rival.archive)
        shutil.unpack_archive(archive, rival.folder)
    else:
        _zip(rival)
    built.write_text(digest, encoding="utf-8")


def _digest(rival: Rival) -> str:
    if rival.name == OURS.name:
        return hashlib.sha256(packaging.prepare().read_bytes()).hexdigest()
    digest = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes())
    for file in sorted(path for path in _RIVALS.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        digest.update(str(file.relative_to(_RIVALS)).encode() + file.read_bytes())
    return digest.hexdigest()


def _ours(_rival: Rival) -> Path:
    return packaging.build("dev", OUT / "package")


def _obvious(rival: Rival) -> Path:
    """Run `chalice package` with its defaults: dependencies from wheels, no bytecode."""
    work = _copy_source(rival, OUT / "obvious-source")
    (work / "vendor").mkdir()
    (work / "charge.py").rename(work / "vendor" / "charge.py")  # Chalice packages vendor/, and of the rest app.py
    _run([sys.executable, "-c", "from chalice.cli import main; main()", "package", str(work / "out")], work)
    return work / "out" / "deployment.zip"


def _tuned(rival: Rival) -> None:
    """Follow the two pieces of advice that cost nothing."""
    shutil.copytree(OBVIOUS.folder, rival.folder, dirs_exist_ok=True)
    app = rival.folder / "app.py"
    source = app.read_text(encoding="utf-8")
    app.write_text(source.replace("def client()", "@lru_cache\ndef client()"), encoding="utf-8")
    # Quiet, because some packages contain templates that do not compile.
    compileall.compile_dir(rival.folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def _powertools(rival: Rival) -> None:
    """Install dependencies beside the source without bytecode, as SAM and the CDK do."""
    _copy_source(rival, rival.folder)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    _run([*command, "--target", str(rival.folder), "-r", "requirements.txt"], _RIVALS / rival.name)


def _node_modules(rival: Rival) -> None:
    _npm_install(_copy_source(rival, rival.folder))


def _bundled(rival: Rival) -> None:
    work = _copy_source(rival, OUT / f"{rival.name}-source")
    _npm_install(work)
    esbuild = ["node_modules/.bin/esbuild", "app.js", "--bundle", "--minify", "--platform=node", "--log-level=error"]
    _run([*esbuild, "--target=node20", f"--outfile={rival.folder / 'app.js'}"], work)


OURS = Rival("notes-billing", "notes-billing (`make package`)", "python", "app.app", _ours)
OBVIOUS = Rival("obvious", "the obvious Chalice app (`chalice package`)", "python", "app.app", _obvious)
TUNED = Rival("tuned", "the same, tuned: bytecode, one Stripe client", "python", "app.app", _tuned)
POWERTOOLS = Rival("powertools", "Powertools: event handler, parameters", "python", "app.handler", _powertools)
NODE_2 = Rival("node-v2", "Node, the original's way (aws-sdk 2)", "node", "app.handler", _node_modules)
NODE_3 = Rival("node-v3", "Node, aws-sdk 3, bundled by esbuild", "node", "app.handler", _bundled)


def _copy_source(rival: Rival, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_RIVALS / rival.name, folder, ignore=shutil.ignore_patterns("__init__.py", "__pycache__"))
    shared = "charge.py" if rival.language == "python" else "charge.js"
    shutil.copyfile(_RIVALS / shared, folder / shared)
    return folder


def _npm_install(folder: Path) -> None:
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], folder)


def _zip(rival: Rival) -> None:
    with zipfile.ZipFile(rival.archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(path for path in rival.folder.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(rival.folder))


def _run(command: list[str], folder: Path) -> None:
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
