"""The rows of an app's tables of stages and secrets: plain data, since validation would cost every cold start."""

from collections.abc import Callable
from typing import Literal, NamedTuple

Mode = Literal["test", "live"]


class StageSpec(NamedTuple):
    """A stage with resources of its own.

    ``mode``: whether real money moves. ``default``: lends its resources to stages without a row; exactly one row does.
    """

    name: str
    mode: Mode
    default: bool = False


class SecretSpec(NamedTuple):
    """A secret with one value per stage, in a SecureString parameter.

    ``path``: the parameter's name, with the placeholders ``{mode}``, ``{stage}`` and ``{resources}``.
    ``label``: what a prompt calls the value.
    ``check``: returns what is wrong with a value for a mode, without quoting it, or None.
    ``verify``: the name of a check by the issuer, in ``operations.VERIFY``.
    ``pattern``: a regular expression that finds values, for redaction.
    """

    name: str
    path: str
    label: str
    check: Callable[[str, Mode], str | None]
    verify: str | None = None
    pattern: str | None = None
