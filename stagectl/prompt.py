"""Takes a secret from whoever runs the command: a hidden prompt, or standard input in a pipe. Never an argument."""

import sys

import click

from chalicelib.parameter_store import Secret
from stagectl.errors import Failure

_LONGEST = 4096  # characters; what a standard parameter holds (Parameter Store API reference, PutParameter)


def secret(prompt: str) -> Secret:
    """Return what was typed, pasted or piped, without the white space around it.

    :param prompt: says what is wanted, and where it goes.
    :raises Failure: it is empty, or of more than one line.
    """
    if sys.stdin.isatty():
        value = str(click.prompt(prompt, hide_input=True, err=True, default="", show_default=False)).strip()
    else:
        value = sys.stdin.read(_LONGEST + 1).strip()
    if not value:
        raise Failure("No value was given.", "Paste it at the prompt, or pipe it in; it is not shown.")
    if len(value.split()) > 1 or len(value) > _LONGEST:
        raise Failure("The value is not one word.", "Give the secret alone, on one line.")
    return Secret(value)
