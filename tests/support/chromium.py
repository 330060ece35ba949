"""Headless Chromium, if it is installed. The fixture ``chromium`` is the only browser of a process, because playwright
allows no second one at a time.
"""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP attacker.example 127.0.0.1",
]  # fmt: skip
# Chromium logs this for a status of 400 or more, and for a response that the test drops. Neither is an error here.
_FAILED_LOAD = "Failed to load resource"


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield launched
        finally:
            launched.close()


@contextlib.contextmanager
def page(of: Browser, https_proxy: str = "http://127.0.0.1:9", **options: Any) -> Iterator[Page]:
    """Open an empty page. On exit, assert that no script failed and no error was logged.

    :param https_proxy: the proxy for other hosts than this one; by default they can't be reached.
    :param options: of the browser's context.
    """
    with of.new_context(
        ignore_https_errors=True,
        proxy={"server": https_proxy, "bypass": "127.0.0.1"},
        permissions=["local-network-access"],  # a response that a test fulfils comes from no network
        **options,
    ) as context:
        opened = context.new_page()
        opened.set_default_timeout(30_000)  # milliseconds: enough for a slow machine
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on(
            "console",
            lambda message: (
                errors.append(message.text) if message.type == "error" and _FAILED_LOAD not in message.text else None
            ),
        )
        yield opened
        assert errors == []
