"""Reads a secret or a confirmation from the terminal or from a pipe. A secret is never an argument."""

import getpass
import os
import sys

import click

from stagectl.aws.secret import SecretValue
from stagectl.operator_error import OperatorError

_LONGEST = 4096  # characters; a standard parameter's limit (Parameter Store API reference, PutParameter)


class SecretInput:
    """Where an operator enters a secret: a pipe, which is read at once, or a terminal, which is asked later.

    A command makes it before anything else: credentials may prompt for an MFA code or start a program, and neither may
    get what is in the pipe.
    """

    def __init__(self) -> None:
        """:raises OperatorError: the pipe is empty, or has several lines or words."""
        self._piped = None if _is_terminal() else _parse(_read_pipe())

    def read(self, text: str) -> SecretValue:
        """Return the secret, without white space around it.

        :param text: names the secret and where it will be stored, for a hidden prompt.
        :raises OperatorError: it is empty, or has several lines or words.
        """
        if self._piped is not None:
            return self._piped
        return _parse(str(click.prompt(text, hide_input=True, err=True, default="", show_default=False)))


def confirm(question: str) -> None:
    """Ask the operator to confirm a deletion.

    :raises OperatorError: the operator declined, or there is no terminal.
    """
    if not _is_terminal():
        raise OperatorError(
            "Nothing was deleted: there is no terminal to confirm it.", "To delete without a question, add --yes."
        )
    if not click.confirm(question, err=True):
        raise OperatorError("Nothing was deleted.", "To delete, repeat the command and confirm with y.")


def account_id(stage: str) -> str:
    """Ask for the id of a live stage's AWS account. The id of the credentials' account is not shown, only compared.

    :raises OperatorError: there is no terminal.
    """
    if not _is_terminal():
        raise OperatorError(
            f"{stage} is a live stage, and its AWS account was not named.",
            f"Nothing was changed. Pin {stage} to its account, with the account's own id:",
            f"stagectl stages pin --stage {stage} --account 111122223333",
        )
    text = f"{stage} is a live stage. Type the 12 digits of its AWS account"
    return str(click.prompt(text, err=True, default="", show_default=False))


def mfa_code(text: str) -> str:
    """Read an MFA code from the terminal, even if standard input is a pipe.

    :raises OperatorError: there is no terminal.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise OperatorError(
            "The profile requires an MFA code, and there is no terminal to type it.",
            "Repeat the command at a terminal, or with temporary credentials for which the code was entered before.",
        ) from None
    return getpass.getpass(text)  # reads /dev/tty, which can be opened


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _read_pipe() -> str:
    try:
        return sys.stdin.read(_LONGEST + 1) if sys.stdin else ""
    except UnicodeDecodeError:
        raise OperatorError("The value is not text.", "Provide only the secret, as UTF-8.") from None


def _parse(text: str) -> SecretValue:
    value = text.removeprefix("\ufeff").strip()
    if not value:
        raise OperatorError("The value is empty.", "Paste it at the hidden prompt, or pipe it in.")
    # All of the text counts: what is not read here, a program that provides credentials could read.
    if len(value.split()) > 1 or len(text) > _LONGEST:
        raise OperatorError("The value is not one word.", "Provide only the secret, on one line.")
    return SecretValue(value)
