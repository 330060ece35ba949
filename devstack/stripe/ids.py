"""Ids as Stripe makes them: a prefix that names the type of object, then random letters and digits."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """Make a unique id of a prefix, an underscore, and as many characters as ``length``."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"
