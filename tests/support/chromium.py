"""Headless Chromium, where it is installed. The fixture ``chromium`` is the one browser of a process: playwright has no
more than one at a time there.
"""

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# A status of 400 or more, which is an answer like others; or none, where the test lets it be lost.
_AN_ANSWER = "Failed to load resource"


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield launched
        finally:
            launched.close()


@contextlib.contextmanager
def page(of: Browser, https_proxy: str = "http://127.0.0.1:9") -> Iterator[Page]:
    """An empty page. In the end: no script failed, and nothing was printed as an error.

    :param https_proxy: leads to other hosts than this one; without it there are none.
    """
    with of.new_context(
        ignore_https_errors=True,
        proxy={"server": https_proxy, "bypass": "127.0.0.1"},
        permissions=["local-network-access"],  # what a test answers in a server's place comes from no network
    ) as context:
        opened = context.new_page()
        opened.set_default_timeout(30_000)  # milliseconds: a slow machine has time, and a mistake shows
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on(
            "console",
            lambda said: errors.append(said.text) if said.type == "error" and _AN_ANSWER not in said.text else None,
        )
        yield opened
        assert errors == []
