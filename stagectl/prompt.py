"""Asks whoever runs the command: for a secret (hidden, or standard input in a pipe; never an argument), or a yes."""

import sys

import click

from chalicelib.aws.secret import SecretValue
from stagectl.errors import OperatorError

_LONGEST = 4096  # characters; what a standard parameter holds (Parameter Store API reference, PutParameter)


def secret(prompt: str) -> SecretValue:
    """Return what was typed, pasted or piped, without the white space around it.

    :param prompt: says what is wanted, and where it goes.
    :raises OperatorError: it is empty, or of more than one line.
    """
    if sys.stdin.isatty():
        value = str(click.prompt(prompt, hide_input=True, err=True, default="", show_default=False)).strip()
    else:
        value = _piped()
    if not value:
        raise OperatorError("No value was given.", "Paste it at the prompt, or pipe it in; it is not shown.")
    if len(value.split()) > 1 or len(value) > _LONGEST:
        raise OperatorError("The value is not one word.", "Give the secret alone, on one line.")
    return SecretValue(value)


def confirm(question: str) -> None:
    """Ask whether to go on.

    :raises OperatorError: the answer is no, or nobody is there to answer.
    """
    if not sys.stdin.isatty():
        raise OperatorError("Nobody can be asked here, so nothing was deleted.", "Give --yes if it is meant.")
    if not click.confirm(question, err=True):
        raise OperatorError("Nothing was deleted.", "Answer y if it is meant, or give --yes.")


def _piped() -> str:
    try:
        return sys.stdin.read(_LONGEST + 1).removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        raise OperatorError("The value is not text.", "Give the secret alone, as UTF-8.") from None
