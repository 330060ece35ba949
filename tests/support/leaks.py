"""Searches what a run of the tests has shown for its keys and for personal data."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from chalicelib.key_formats import SENSITIVE, SIGNING_SECRET, STRIPE_KEY

_KEY = re.compile(rf"{STRIPE_KEY}|{SIGNING_SECRET}")
# E-mail addresses and callers' identities: wider than what telemetry.py redacts.
_PERSONAL = re.compile(rf"{SENSITIVE.pattern}|[\w.]+@[\w.]+|us-east-1:[a-z]\w+")
_NOT_SEARCHED = {".git", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def find_keys(texts: Mapping[str, Iterable[str]], keys: Collection[str]) -> list[str]:
    """Return where a key is shown, as a place and the key's beginning.

    :param texts: the texts of each place.
    :param keys: every key that the run used.
    :raises ValueError: no key, a key that the search does not recognize, or a place without texts: nothing is proven.
    """
    if unknown := [key[:8] for key in keys if not _KEY.fullmatch(key)]:
        raise ValueError(f"not recognized as keys: {unknown}")
    leaks, searched = [], 0
    for place, contents in texts.items():
        for text in contents:
            searched += 1
            shown = {*_KEY.findall(text)}
            leaks += [f"{place}: {key[:12]}" for key in keys if any(key in found for found in shown)]
    if not keys or not searched:
        raise ValueError("nothing to search, or nothing to search for")
    return leaks


def find_personal_data(logs: Iterable[str]) -> list[str]:
    """Return the payment tokens, client secrets, keys, callers and e-mail addresses in logs."""
    return [match[0] for text in logs for match in _PERSONAL.finditer(text)]


def files(project: Path) -> Iterator[str]:
    """Yield the content of every file of a project that tests may have written."""
    for entry in project.iterdir():
        if entry.name not in _NOT_SEARCHED:
            for file in (entry, *entry.rglob("*")):
                if file.is_file() and "bench" not in file.parts:
                    yield file.read_text(errors="replace")
