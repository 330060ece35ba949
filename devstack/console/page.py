"""The console's page: files as they are, read anew for each request, so that a change shows on reload."""

from collections.abc import Callable
from pathlib import Path

_FILES = Path(__file__).resolve().parent / "static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def source(api: str) -> Callable[[str], tuple[str, bytes] | None]:
    """Return what answers a path with a file of the page: its content type and body, or None.

    :param api: the API's address, which the page is told.
    """

    def answer(path: str) -> tuple[str, bytes] | None:
        file = _FILES / ("index.html" if path == "/" else path[1:])
        # Names alone, no folders: there is no way out of this one.
        if file.parent != _FILES or file.suffix not in _KINDS or not file.is_file():
            return None
        body = file.read_bytes()
        if file.suffix == ".html":
            body = body.replace(b"{{api}}", api.encode())
        return _KINDS[file.suffix], body

    return answer
