"""Builds ours and the rivals as Lambda would unpack them: build/bench/NAME, once for the same inputs."""

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

from stagectl import package

PROJECT = Path(__file__).resolve().parent.parent
OUT = PROJECT / "build" / "bench"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Rival:
    """One way to build the service.

    ``name``: its folder's. ``title``: what tables call it. ``language``: python or node. ``handler``: file and name.
    ``zip_bytes``: what is uploaded.
    """

    name: str
    title: str
    language: str
    handler: str
    zip_bytes: int = 0

    @property
    def folder(self) -> Path:
        """Where it lies unpacked."""
        return OUT / self.name


class BuildError(Exception):
    """A rival can't be built; the message says why."""


OURS = Rival("notes-billing", "notes-billing (`make package`)", "python", "app.app")
OBVIOUS = Rival("obvious", "the obvious Chalice app (`chalice package`)", "python", "app.app")
TUNED = Rival("tuned", "the same, tuned: bytecode, Stripe's client kept", "python", "app.app")
POWERTOOLS = Rival("powertools", "Powertools: event handler, parameters", "python", "app.handler")
NODE_2 = Rival("node-v2", "Node, the original's way (aws-sdk 2)", "node", "app.handler")
NODE_3 = Rival("node-v3", "Node, aws-sdk 3, bundled by esbuild", "node", "app.handler")


def build_all() -> tuple[list[Rival], list[str]]:
    """Build what can be built here.

    :return: the rivals, ours first, and a line for each that is left out.
    :raises BuildError: one that should be buildable is not.
    """
    rivals, skipped = [], []
    for rival, build in _BUILDERS.items():
        if rival.language == "node" and not (shutil.which("node") and shutil.which("npm")):
            skipped.append(f"{rival.title}: skipped, there is no node and npm here")
            continue
        rivals.append(_built(rival, build))
    python()
    return rivals, skipped


def python() -> Path:
    """Return an interpreter whose site-packages are empty, and that does run its site module, as Lambda's does."""
    folder = OUT / "python"
    if not (folder / "bin" / "python").exists():
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], PROJECT)
    return folder / "bin" / "python"


def _built(rival: Rival, build: Callable[[Rival], Path]) -> Rival:
    """Build a rival unless its inputs are those of last time. ``build`` returns the archive that is uploaded."""
    inputs = _inputs(rival)
    mark, archive = OUT / f"{rival.name}.built", OUT / f"{rival.name}.zip"
    if not mark.exists() or mark.read_text(encoding="utf-8") != inputs:
        print(f"building {rival.title}", file=sys.stderr)
        shutil.rmtree(rival.folder, ignore_errors=True)
        rival.folder.mkdir(parents=True)
        built = build(rival)
        if built != archive:
            shutil.copyfile(built, archive)
        mark.write_text(inputs, encoding="utf-8")
    return Rival(rival.name, rival.title, rival.language, rival.handler, archive.stat().st_size)


def _inputs(rival: Rival) -> str:
    if rival.name == OURS.name:
        return hashlib.sha256(package.prepare().read_bytes()).hexdigest()
    source = _source(rival)
    digest = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes())
    for file in sorted(it for it in source.rglob("*") if it.is_file() and it.suffix != ".pyc"):
        digest.update(str(file.relative_to(source)).encode() + file.read_bytes())
    return digest.hexdigest()


def _source(rival: Rival) -> Path:
    return _HERE / "rivals" / (OBVIOUS.name if rival.name == TUNED.name else rival.name)


def _ours(rival: Rival) -> Path:
    archive = package.build("dev", OUT / "package")
    _unzip(archive, rival.folder)
    return archive


def _obvious(rival: Rival) -> Path:
    """`chalice package`, as it comes: dependencies from wheels, sources alone."""
    work = OUT / "obvious-source"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(_source(rival), work, ignore=shutil.ignore_patterns("__init__.py", "__pycache__"))
    _run([sys.executable, "-c", "from chalice.cli import main; main()", "package", str(work / "out")], work)
    _unzip(work / "out" / "deployment.zip", rival.folder)
    return work / "out" / "deployment.zip"


def _tuned(rival: Rival) -> Path:
    """The obvious app after the two pieces of advice that cost nothing."""
    shutil.copytree(OBVIOUS.folder, rival.folder, dirs_exist_ok=True)
    app = rival.folder / "app.py"
    source = app.read_text(encoding="utf-8")
    app.write_text(source.replace("def client()", "@lru_cache\ndef client()"), encoding="utf-8")
    # Some package's own templates do not compile.
    compileall.compile_dir(rival.folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return _zip(rival)


def _powertools(rival: Rival) -> Path:
    """Dependencies beside the source and no bytecode, as SAM and the CDK package them."""
    source = _source(rival)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    _run([*command, "--target", str(rival.folder), "-r", str(source / "requirements.txt")], source)
    shutil.copyfile(source / "app.py", rival.folder / "app.py")
    return _zip(rival)


def _node_modules(rival: Rival) -> Path:
    source = _source(rival)
    for file in source.iterdir():
        shutil.copyfile(file, rival.folder / file.name)
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], rival.folder)
    return _zip(rival)


def _bundled(rival: Rival) -> Path:
    work = Rival(f"{rival.name}-source", rival.title, rival.language, rival.handler)
    shutil.rmtree(work.folder, ignore_errors=True)
    shutil.copytree(_source(rival), work.folder)
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], work.folder)
    esbuild = ["node_modules/.bin/esbuild", "app.js", "--bundle", "--minify", "--platform=node", "--log-level=error"]
    _run([*esbuild, "--target=node20", f"--outfile={rival.folder / 'app.js'}"], work.folder)
    return _zip(rival)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)


def _zip(rival: Rival) -> Path:
    archive = OUT / f"{rival.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(it for it in rival.folder.rglob("*") if it.is_file()):
            packed.write(file, file.relative_to(rival.folder))
    return archive


def _run(command: list[str], folder: Path) -> None:
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


_BUILDERS: dict[Rival, Callable[[Rival], Path]] = {
    OURS: _ours,
    OBVIOUS: _obvious,
    TUNED: _tuned,
    POWERTOOLS: _powertools,
    NODE_2: _node_modules,
    NODE_3: _bundled,
}
