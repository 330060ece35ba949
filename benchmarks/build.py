"""Builds ours and the peers as Lambda would unpack them: build/bench/NAME, once for the same inputs."""

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
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
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
    """A peer can't be built; the message says why."""


OURS = Peer("notes-billing", "notes-billing (`make package`)", "python", "app.app")
OBVIOUS = Peer("obvious", "the obvious Chalice app (`chalice package`)", "python", "app.app")
TUNED = Peer("tuned", "the same, tuned: bytecode, Stripe's client kept", "python", "app.app")
POWERTOOLS = Peer("powertools", "Powertools: event handler, parameters", "python", "app.handler")
NODE_2 = Peer("node-v2", "Node, the original's way (aws-sdk 2)", "node", "app.handler")
NODE_3 = Peer("node-v3", "Node, aws-sdk 3, bundled by esbuild", "node", "app.handler")


def build_all() -> tuple[list[Peer], list[str]]:
    """Build what can be built here.

    :return: the peers, ours first, and a line for each that is left out.
    :raises BuildError: one that should be buildable is not.
    """
    peers, skipped = [], []
    for peer, build in _BUILDERS.items():
        if peer.language == "node" and not (shutil.which("node") and shutil.which("npm")):
            skipped.append(f"{peer.title}: skipped, there is no node and npm here")
            continue
        peers.append(_built(peer, build))
    python()
    return peers, skipped


def python() -> Path:
    """Return an interpreter whose site-packages are empty, and that does run its site module, as Lambda's does."""
    folder = OUT / "python"
    if not (folder / "bin" / "python").exists():
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], PROJECT)
    return folder / "bin" / "python"


def _built(peer: Peer, build: Callable[[Peer], Path]) -> Peer:
    """Build a peer unless its inputs are those of last time. ``build`` returns the archive that is uploaded."""
    inputs = _inputs(peer)
    mark, archive = OUT / f"{peer.name}.built", OUT / f"{peer.name}.zip"
    if not mark.exists() or mark.read_text(encoding="utf-8") != inputs:
        print(f"building {peer.title}", file=sys.stderr)
        shutil.rmtree(peer.folder, ignore_errors=True)
        peer.folder.mkdir(parents=True)
        built = build(peer)
        if built != archive:
            shutil.copyfile(built, archive)
        mark.write_text(inputs, encoding="utf-8")
    return Peer(peer.name, peer.title, peer.language, peer.handler, archive.stat().st_size)


def _inputs(peer: Peer) -> str:
    if peer.name == OURS.name:
        return hashlib.sha256(packaging.prepare().read_bytes()).hexdigest()
    source = _source(peer)
    digest = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes())
    for file in sorted(it for it in source.rglob("*") if it.is_file() and it.suffix != ".pyc"):
        digest.update(str(file.relative_to(source)).encode() + file.read_bytes())
    return digest.hexdigest()


def _source(peer: Peer) -> Path:
    return _HERE / "peers" / (OBVIOUS.name if peer.name == TUNED.name else peer.name)


def _ours(peer: Peer) -> Path:
    archive = packaging.build("dev", OUT / "package")
    _unzip(archive, peer.folder)
    return archive


def _obvious(peer: Peer) -> Path:
    """`chalice package`, as it comes: dependencies from wheels, sources alone."""
    work = OUT / "obvious-source"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(_source(peer), work, ignore=shutil.ignore_patterns("__init__.py", "__pycache__"))
    _run([sys.executable, "-c", "from chalice.cli import main; main()", "package", str(work / "out")], work)
    _unzip(work / "out" / "deployment.zip", peer.folder)
    return work / "out" / "deployment.zip"


def _tuned(peer: Peer) -> Path:
    """The obvious app after the two pieces of advice that cost nothing."""
    shutil.copytree(OBVIOUS.folder, peer.folder, dirs_exist_ok=True)
    app = peer.folder / "app.py"
    source = app.read_text(encoding="utf-8")
    app.write_text(source.replace("def client()", "@lru_cache\ndef client()"), encoding="utf-8")
    # Some package's own templates do not compile.
    compileall.compile_dir(peer.folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return _zip(peer)


def _powertools(peer: Peer) -> Path:
    """Dependencies beside the source and no bytecode, as SAM and the CDK package them."""
    source = _source(peer)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    _run([*command, "--target", str(peer.folder), "-r", str(source / "requirements.txt")], source)
    shutil.copyfile(source / "app.py", peer.folder / "app.py")
    return _zip(peer)


def _node_modules(peer: Peer) -> Path:
    source = _source(peer)
    for file in source.iterdir():
        shutil.copyfile(file, peer.folder / file.name)
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], peer.folder)
    return _zip(peer)


def _bundled(peer: Peer) -> Path:
    work = Peer(f"{peer.name}-source", peer.title, peer.language, peer.handler)
    shutil.rmtree(work.folder, ignore_errors=True)
    shutil.copytree(_source(peer), work.folder)
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], work.folder)
    esbuild = ["node_modules/.bin/esbuild", "app.js", "--bundle", "--minify", "--platform=node", "--log-level=error"]
    _run([*esbuild, "--target=node20", f"--outfile={peer.folder / 'app.js'}"], work.folder)
    return _zip(peer)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)


def _zip(peer: Peer) -> Path:
    archive = OUT / f"{peer.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(it for it in peer.folder.rglob("*") if it.is_file()):
            packed.write(file, file.relative_to(peer.folder))
    return archive


def _run(command: list[str], folder: Path) -> None:
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


_BUILDERS: dict[Peer, Callable[[Peer], Path]] = {
    OURS: _ours,
    OBVIOUS: _obvious,
    TUNED: _tuned,
    POWERTOOLS: _powertools,
    NODE_2: _node_modules,
    NODE_3: _bundled,
}
