"""Reads a secret or a confirmation from the terminal or from a pipe. A secret is never an argument."""

import sys

import click

from stagectl.aws.secret import SecretValue
from stagectl.operator_error import OperatorError

_LONGEST = 4096  # characters; a standard parameter's limit (Parameter Store API reference, PutParameter)


def secret(prompt: str) -> SecretValue:
    """Read a secret, typed and hidden or piped, and remove white space around it.

    :param prompt: names the secret and where it will be stored.
    :raises OperatorError: it is empty, or has several lines or words.
    """
    if sys.stdin.isatty():
        value = str(click.prompt(prompt, hide_input=True, err=True, default="", show_default=False)).strip()
    else:
        try:
            value = sys.stdin.read(_LONGEST + 1).removeprefix("\ufeff").strip()
        except UnicodeDecodeError:
            raise OperatorError("The value is not text.", "Provide only the secret, as UTF-8.") from None
    if not value:
        raise OperatorError("The value is empty.", "Paste it at the hidden prompt, or pipe it in.")
    if len(value.split()) > 1 or len(value) > _LONGEST:
        raise OperatorError("The value is not one word.", "Provide only the secret, on one line.")
    return SecretValue(value)


def confirm(question: str) -> None:
    """Ask the operator to confirm a deletion.

    :raises OperatorError: the operator declined, or there is no terminal.
    """
    if not sys.stdin.isatty():
        raise OperatorError(
            "Nothing was deleted: there is no terminal to confirm it.", "To delete without a question, add --yes."
        )
    if not click.confirm(question, err=True):
        raise OperatorError("Nothing was deleted.", "To delete, repeat the command and confirm with y.")
