"""Headless Chromium, where it is installed."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """An empty page. In the end: no script failed, nothing was printed as an error, and nothing left loopback."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            opened = browser.new_page()
            errors: list[str] = []
            asked: list[str] = []
            opened.on("pageerror", lambda error: errors.append(str(error)))
            opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            opened.on("request", lambda request: asked.append(request.url))
            yield opened
            assert errors == []
            local = ("http://127.0.0.1:", "data:", "blob:")
            assert [url for url in asked if not url.startswith(local)] == []
        finally:
            browser.close()
