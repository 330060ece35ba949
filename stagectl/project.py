"""The Chalice app to operate: its folder, its tables of stages and secrets, and its additions to stagectl."""

import importlib
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from stagectl.operator_error import OperatorError

_CONFIG_JSON = Path(".chalice", "config.json")


@dataclass(frozen=True)
class Project:
    """A Chalice project.

    ``config``: the app's ``chalicelib.config``. Its rows are read by attribute (SecretSpec and StageSpec of
    chalicelib/aws/tables.py), since the app has its own copy of these classes.
    ``operations``: the app's additions to stagectl, None if it has none. operations/__init__.py lists the hooks.
    """

    folder: Path
    config: ModuleType
    operations: ModuleType | None

    @property
    def chalice(self) -> Path:
        """The folder ``.chalice``."""
        return self.folder / ".chalice"

    @property
    def app_name(self) -> str:
        """The app's name, with which the names of its functions begin."""
        return str(json.loads((self.folder / _CONFIG_JSON).read_text(encoding="utf-8"))["app_name"])

    def secret(self, name: str) -> Any:
        """Return the row of SECRETS of that name."""
        return next(row for row in self.config.SECRETS if row.name == name)


@cache
def current() -> Project:
    """Load the project of the working directory.

    :raises OperatorError: there is no project, or its modules cannot be imported.
    """
    start = Path.cwd()
    folder = next((folder for folder in (start, *start.parents) if (folder / _CONFIG_JSON).is_file()), None)
    if folder is None:
        raise OperatorError(
            f"No Chalice project was found: neither {start} nor a folder above it contains {_CONFIG_JSON}.",
            "Change to the project's folder, then repeat the command.",
        )
    sys.path.insert(0, str(folder))
    config = _load(folder, "chalicelib.config", "chalicelib/config.py")
    has_operations = (folder / "operations" / "__init__.py").is_file()
    operations = _load(folder, "operations", "operations/__init__.py") if has_operations else None
    return Project(folder, config, operations)


def hook(name: str) -> Any:
    """Return a hook of the project's ``operations``, such as COMMANDS; an empty mapping if it is absent."""
    return getattr(current().operations, name, {})


def secret_pattern(rows: Iterable[Any]) -> re.Pattern[str]:
    """Return the pattern of values that rows of SECRETS describe; it never matches if no row has a pattern."""
    patterns = [row.pattern for row in rows if row.pattern]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")


def _load(folder: Path, name: str, path: str) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise OperatorError(f"{folder / path} cannot be imported: {error}.", "Fix the import in this file.") from error
    if Path(module.__file__ or "").resolve() != (folder / path).resolve():
        raise OperatorError(
            f"{name} was imported from {module.__file__}, not from {folder / path}.",
            f"Another package named {name.partition('.')[0]} is installed in this Python environment: uninstall it.",
        )
    return module
