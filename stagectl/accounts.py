"""Pins stages to an AWS account and region, so that no command works on a stage with another account's credentials.

The first command that changes something of a test stage pins it. The account of a live stage is named by the operator.
From then on every command stops if the credentials are another account's. Stages that share resources share a pin. The
file contains account ids, so git ignores it.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from stagectl import project
from stagectl.operator_error import OperatorError
from stagectl.stages import write_json


@dataclass(frozen=True)
class AccountRegion:
    """``account``: twelve digits. ``region``: such as us-east-1."""

    account: str
    region: str


def pinned(resources_stage: str) -> AccountRegion | None:
    """Return the account and region of the stages that use these resources, or None if they are not pinned.

    :raises OperatorError: the file is damaged.
    """
    return read().get(resources_stage)


def pin(resources_stage: str, account_region: AccountRegion) -> None:
    """Pin the stages that use these resources."""
    pins = {**read(), resources_stage: account_region}
    write_json(_file(), {name: asdict(value) for name, value in sorted(pins.items())})


def read() -> dict[str, AccountRegion]:
    """Return all pins, by the name of the stage whose resources are used.

    :raises OperatorError: the file is damaged.
    """
    if not _file().exists():
        return {}
    try:
        pins = {name: AccountRegion(**pin) for name, pin in json.loads(_file().read_text(encoding="utf-8")).items()}
        if not all(isinstance(text, str) for pin in pins.values() for text in asdict(pin).values()):
            raise TypeError("an account id and a region are strings")
        return pins
    except (OSError, ValueError, TypeError, AttributeError) as error:
        commands = [f"stagectl stages pin --stage {row.name}" for row in project.current().config.STAGES]
        raise OperatorError(
            f".chalice/accounts.json can't be read: {error}.",
            "Delete it and pin each stage again, with its own credentials:",
            "\n".join(commands),
        ) from error


def parse_id(text: str) -> str:
    """Return an account id without the hyphens with which AWS's console shows it.

    :raises OperatorError: it is no account id.
    """
    account = text.strip().replace("-", "")
    if not re.fullmatch("[0-9]{12}", account):
        raise OperatorError(f"{text!r} is not an account id.", "Nothing was changed. It has twelve digits.")
    return account


def _file() -> Path:
    return project.current().chalice / "accounts.json"
