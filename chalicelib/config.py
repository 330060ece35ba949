"""The tables of stages and secrets, and the app's settings. Reads the environment; aws/credentials.py reads AWS's part.

A stage's name arrives in the environment variable ``STAGE``, set by ``.chalice/config.json``.
"""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from chalicelib.aws.tables import Mode, SecretSpec, StageSpec
from chalicelib.key_formats import (
    SIGNING_SECRET,
    STRIPE_KEY,
    STRIPE_SECRET,
    validate_signing_secret,
    validate_stripe_key,
)

STAGES = (
    StageSpec("prod", "live"),
    StageSpec("dev", "test", default=True),
)

SECRETS = (
    SecretSpec(
        "stripe-key",
        "/stripeSecretKey/{mode}",
        "Stripe key",
        check=validate_stripe_key,
        verify="stripe",
        pattern=STRIPE_KEY,
    ),
    SecretSpec(
        "webhook-secret",
        "/stripeWebhookSecret/{stage}",
        "Signing secret of the webhook endpoint",
        check=validate_signing_secret,
        pattern=SIGNING_SECRET,
    ),
)

STRIPE_API_BASE = "https://api.stripe.com"

# The variables of an operator's shell that stagectl passes on to a test stage's configuration.
OVERRIDABLE_VARIABLES = ("STRIPE_API_BASE",)


class ConfigError(Exception):
    """A setting is invalid. The message names it, and the fix."""


class StageConfig(NamedTuple):
    """Everything that depends on the stage.

    ``resources_stage``: the row of STAGES whose resources the stage uses; ``mode`` is that row's.
    ``note_purchased_topic``: the SNS topic's name; the account id is not configuration.
    ``admin_phone``: E.164. ``currency``: ISO 4217, in lower case as Stripe writes it.
    ``on_chalice_cli``: app.py was imported by ``chalice deploy``, ``package`` or ``local``, not by Lambda.
    ``serves_api``: this is the function of the routes, not ``notify``, which reads no secret.
    ``xray_daemon``: ``host:port``, or empty. These two come from variables that Lambda sets
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
    """

    stage: str
    resources_stage: str
    mode: Mode
    stripe_api_base: str
    note_purchased_topic: str
    admin_phone: str
    cors_origin: str
    currency: str
    on_chalice_cli: bool
    serves_api: bool
    xray_daemon: str

    @property
    def livemode(self) -> bool:
        """Whether real money moves, in Stripe's word for it."""
        return self.mode == "live"

    def parameter(self, secret: str) -> str:
        """Return the name of the parameter that holds a secret of this stage.

        :param secret: the name of a row of SECRETS.
        """
        path = _secret(secret).path
        return path.format(mode=self.mode, stage=self.stage, resources=self.resources_stage)

    def validate(self, secret: str, value: str) -> str | None:
        """Return why a value cannot be a secret of this stage, without quoting it, or None if it can.

        :param secret: the name of a row of SECRETS.
        """
        return _secret(secret).check(value, self.mode)


_DEFAULTS = {
    "STAGE": next(row.name for row in STAGES if row.default),
    "ADMIN_PHONE": "+14151234567",
    "CORS_ORIGIN": "*",
}

_RULES = {
    "STAGE": (r"[A-Za-z][A-Za-z0-9-]{0,62}", "letters, digits and hyphens, beginning with a letter, such as dev"),
    "NOTE_PURCHASED_TOPIC": (
        r"[A-Za-z0-9_-]{1,256}",
        "the name of an SNS topic (not its ARN), such as NotePurchased-dev",
    ),
    "ADMIN_PHONE": (r"\+[1-9][0-9]{6,14}", "a phone number in E.164 format, such as +14151234567"),
    "CORS_ORIGIN": (r"\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", "an origin such as https://notes.example.com, or *"),
    # A key must not cross a network in clear text: plain http is for loopback only.
    "STRIPE_API_BASE": (
        r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?",
        "an https:// URL, or an http:// URL of 127.0.0.1 or localhost, without a path",
    ),
}

# What a stage may set in .chalice/config.json.
VARIABLES = frozenset({"RESOURCES_STAGE", *_RULES})


def load(environ: Mapping[str, str] = os.environ) -> StageConfig:
    """Read the stage's configuration.

    :param environ: environment variables: STAGE, RESOURCES_STAGE, NOTE_PURCHASED_TOPIC, ADMIN_PHONE, CORS_ORIGIN,
        STRIPE_API_BASE, AWS_CHALICE_CLI_MODE. A variable that is not set gets the default row's value.
    :return: the frozen configuration.
    :raises ConfigError: a value is malformed, or contradicts the stage.
    """
    stage = _setting(environ, "STAGE", _DEFAULTS["STAGE"])
    rows = {row.name: row for row in STAGES}
    for name in rows:
        if stage != name and stage.lower() == name.lower() and rows[name].mode == "live":
            # "Prod" has no row, so it would become a feature stage that charges nobody, without a word.
            raise ConfigError(f"STAGE is {stage!r}: stage names are case-sensitive, write {name!r}.")
    row = rows.get(stage) or rows[_DEFAULTS["STAGE"]]
    resources_stage = environ.get("RESOURCES_STAGE", row.name)
    if resources_stage != row.name:
        raise ConfigError(
            f"RESOURCES_STAGE is {resources_stage!r}, but STAGE {stage!r} uses the resources of {row.name!r}: "
            f"set RESOURCES_STAGE to {row.name!r}."
        )
    if row.mode == "live" and "STRIPE_API_BASE" in environ:
        raise ConfigError(f"STRIPE_API_BASE is set, but the live stage {stage} calls only Stripe: unset it.")
    return StageConfig(
        stage=stage,
        resources_stage=row.name,
        mode=row.mode,
        stripe_api_base=_setting(environ, "STRIPE_API_BASE", STRIPE_API_BASE),
        note_purchased_topic=_setting(environ, "NOTE_PURCHASED_TOPIC", f"NotePurchased-{row.name}"),
        admin_phone=_setting(environ, "ADMIN_PHONE", _DEFAULTS["ADMIN_PHONE"]),
        cors_origin=_setting(environ, "CORS_ORIGIN", _DEFAULTS["CORS_ORIGIN"]),
        currency="usd",
        on_chalice_cli="AWS_CHALICE_CLI_MODE" in environ,
        serves_api=environ.get("_HANDLER") != "app.notify",
        xray_daemon=environ.get("AWS_XRAY_DAEMON_ADDRESS", ""),
    )


def trace_header(environ: Mapping[str, str] = os.environ) -> str:
    """Return the X-Ray trace header, which Lambda sets for each invocation, or an empty string."""
    return environ.get("_X_AMZN_TRACE_ID", "")


def _secret(name: str) -> SecretSpec:
    return next(row for row in SECRETS if row.name == name)


def _setting(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, default)
    pattern, rule = _RULES[name]
    if not re.fullmatch(pattern, value):
        quoted = "a secret, which belongs in Parameter Store" if STRIPE_SECRET.search(value) else repr(value)
        raise ConfigError(f"{name} is {quoted}: it must be {rule}.")
    return value
