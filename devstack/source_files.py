"""The files whose change reloads the service in `make run`: app.py, chalicelib and .chalice/config.json.

Their times are read several times a second. That is cheap for some forty files, works on every file system and needs no
package. Policies, bytecode, deployments and the temporary files of editors are not among them.
"""

import importlib.util
import linecache
import os
import sys
import time
from collections.abc import Callable, Container, Iterable
from pathlib import Path

_QUIET = 0.15  # seconds without a change; a save may be several writes, or many files
_State = dict[Path, tuple[int, int, int]]


class SourceFiles:
    """The files of a project, compared with those that were loaded last."""

    def __init__(self, project: Path, quiet: float = _QUIET, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the files. They are loaded as they are now."""
        self._project, self._quiet, self._clock = project, quiet, clock
        self._loaded = self._seen = self._read()
        self._seen_at = clock()

    def changed(self) -> list[Path]:
        """Return the files that changed since the last call that returned any. The caller loads them.

        Returns none while files are being saved: until they have stayed the same for ``quiet`` seconds.
        """
        now, files = self._clock(), self._read()
        if files != self._seen:
            self._seen, self._seen_at = files, now
        if now - self._seen_at < self._quiet:
            return []
        loaded, self._loaded = self._loaded, files
        return sorted(path for path in files.keys() | loaded.keys() if files.get(path) != loaded.get(path))

    def _read(self) -> _State:
        project = self._project
        state: _State = {}
        # Unlike a glob, os.walk ignores a folder that is being deleted.
        modules = (
            Path(folder, name)
            for folder, _, names in os.walk(project / "chalicelib")
            for name in names
            if name.endswith((".py", ".pem"))
        )
        for path in (project / "app.py", project / ".chalice" / "config.json", *modules):
            # Editors' temporary files, such as Emacs's links, begin with a dot.
            if not path.name.startswith("."):
                try:
                    stat = path.stat()
                except OSError:  # being replaced, or a link that leads nowhere
                    continue
                state[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return state


def delete_bytecode(sources: Iterable[Path]) -> None:
    """Delete the cached bytecode of changed files.

    Python recognizes stale bytecode by the file's size and its time in whole seconds. Of two saves within a second, it
    would run the first.
    """
    for source in sources:
        if source.suffix == ".py":
            Path(importlib.util.cache_from_source(str(source))).unlink(missing_ok=True)


def keep_source_lines(packages: Container[str] = ("app", "chalicelib")) -> None:
    """Let tracebacks of this process quote the lines that it runs, also after they were edited."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] in packages and (lines := linecache.getlines(file)):
            # Without a time, linecache never reads the file again.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)
