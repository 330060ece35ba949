"""The fixtures of unit tests. None starts a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.fake_dev import FakeDev


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDev:
    """A deployed dev that calls nothing, in a folder with a copy of `.chalice`."""
    from tests.support.fake_dev import fake_dev

    return fake_dev(tmp_path, monkeypatch)
