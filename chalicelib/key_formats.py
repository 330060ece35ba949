"""What Stripe's keys, secrets and tokens look like (https://docs.stripe.com/keys)."""

import re

STRIPE_KEY = r"(?:sk|rk)_(?:live|test)_\w+"
SIGNING_SECRET = r"whsec_\w+"  # noqa: S105 - a pattern

# The beginning of an API key or of a webhook signing secret.
STRIPE_SECRET = re.compile(r"(?:sk|rk)_(?:live|test)_|whsec_")

# What must not reach a log: API keys, signing secrets, client secrets, payment tokens. Group 1, a payment's id, may.
SENSITIVE = re.compile(r"(?:sk|rk|pk)_(?:live|test)_\w+|whsec_\w+|(pi_[A-Za-z0-9]+)_secret_\w+|\b(?:tok|ctoken|pm)_\w+")


def validate_stripe_key(value: str, mode: str) -> str | None:
    """Return why a value cannot be a Stripe key of a mode, without quoting it, or None if it can.

    :param mode: ``live`` or ``test``. A live key never serves a test stage, nor a test key a live stage.
    """
    if re.fullmatch(rf"[sr]k_{mode}_[A-Za-z0-9_]{{8,240}}", value):
        return None
    if value.startswith("pk_"):
        return "is a publishable key: copy the secret or restricted key, which begins with sk_ or rk_"
    if re.match(r"[sr]k_(live|test)_", value) and value[3:7] != mode:
        return f"is a {value[3:7]} key, but a {mode} key is required: it must begin with sk_{mode}_ or rk_{mode}_"
    return f"is not a {mode} key: it must begin with sk_{mode}_ or rk_{mode}_"


def validate_signing_secret(value: str, _mode: str) -> str | None:
    """Return why a value cannot be a webhook signing secret, without quoting it, or None if it can.

    A signing secret does not show its mode.
    """
    if value.startswith("whsec_") and len(value) > 12 and value.isascii() and value.isprintable():
        return None
    return "is not a webhook signing secret: it must begin with whsec_"
