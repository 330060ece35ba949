"""Which stage this is, and what differs between stages. The only reader of the environment.

A stage's name arrives in the environment variable ``STAGE``, set by ``.chalice/config.json``. Resources exist for
two stages, prod and dev; every other stage (one for a branch, say) uses dev's.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib import key_formats

STRIPE_API_BASE = "https://api.stripe.com"


class ConfigError(Exception):
    """A setting that makes no sense; the message names it and says what to do."""


@dataclass(frozen=True)
class StageConfig:
    """Everything that depends on the stage.

    ``note_purchased_topic``: the SNS topic's name; the account id is not configuration.
    ``admin_phone``: E.164. ``currency``: ISO 4217, lower case as Stripe writes it.
    ``on_chalice_cli``: app.py was imported by ``chalice deploy``, ``package`` or ``local``, not by Lambda.
    ``serves_api``: this is the function of the routes, not ``notify``, which reads no secret.
    ``xray_daemon``: ``host:port``, or empty. These two are Lambda's defined runtime environment variables
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
    """

    stage: str
    resources_stage: str
    stripe_key_parameter: str
    stripe_api_base: str
    webhook_secret_parameter: str
    note_purchased_topic: str
    admin_phone: str
    cors_origin: str
    currency: str
    on_chalice_cli: bool
    serves_api: bool
    xray_daemon: str

    @property
    def livemode(self) -> bool:
        """Say whether real money moves, in Stripe's word for it."""
        return self.resources_stage == "prod"

    def validate_stripe_key(self, value: str) -> str | None:
        """Return why a value cannot be this stage's Stripe key, without quoting it, or None if it can."""
        return key_formats.validate_stripe_key(value, "live" if self.livemode else "test")


_MODES = {"prod": "live", "dev": "test"}

_DEFAULTS = {
    "STAGE": "dev",
    "ADMIN_PHONE": "+14151234567",
    "CORS_ORIGIN": "*",
}

_RULES = {
    "STAGE": (r"[A-Za-z][A-Za-z0-9-]{0,62}", "letters, digits and hyphens, beginning with a letter, such as dev"),
    "NOTE_PURCHASED_TOPIC": (
        r"[A-Za-z0-9_-]{1,256}",
        "the name of an SNS topic (not its ARN), such as NotePurchased-dev",
    ),
    "ADMIN_PHONE": (r"\+[1-9][0-9]{6,14}", "a phone number in E.164 form, such as +14151234567"),
    "CORS_ORIGIN": (r"\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", "an origin such as https://notes.example.com, or *"),
    # A key must not cross a network in the clear: plain http is for this machine alone.
    "STRIPE_API_BASE": (
        r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?",
        "an https:// address, or an http:// address of 127.0.0.1 or localhost, without a path",
    ),
}


def load(environ: Mapping[str, str] = os.environ) -> StageConfig:
    """Read the stage's configuration.

    :param environ: environment variables: STAGE, RESOURCES_STAGE, NOTE_PURCHASED_TOPIC, ADMIN_PHONE, CORS_ORIGIN,
        STRIPE_API_BASE, AWS_CHALICE_CLI_MODE. What is not set gets dev's default.
    :return: the frozen configuration.
    :raises ConfigError: a value is malformed, or contradicts the stage.
    """
    stage = _setting(environ, "STAGE", _DEFAULTS["STAGE"])
    if stage != "prod" and stage.lower() == "prod":
        # "Prod" is no stage of this table, so it would quietly become a feature stage that charges nobody.
        raise ConfigError(f"STAGE is {stage!r}: stage names are case-sensitive, write 'prod'.")
    resources_stage = stage if stage in _MODES else "dev"
    given = environ.get("RESOURCES_STAGE", resources_stage)
    if given != resources_stage:
        raise ConfigError(
            f"RESOURCES_STAGE is {given!r}, but STAGE {stage!r} uses the resources of {resources_stage!r}: "
            f"set RESOURCES_STAGE to {resources_stage!r}."
        )
    if stage == "prod" and "STRIPE_API_BASE" in environ:
        raise ConfigError("STRIPE_API_BASE is set, but the stage prod talks to Stripe alone: unset STRIPE_API_BASE.")
    mode = _MODES[resources_stage]
    return StageConfig(
        stage=stage,
        resources_stage=resources_stage,
        stripe_key_parameter=f"/stripeSecretKey/{mode}",
        stripe_api_base=_setting(environ, "STRIPE_API_BASE", STRIPE_API_BASE),
        webhook_secret_parameter=f"/stripeWebhookSecret/{stage}",
        note_purchased_topic=_setting(environ, "NOTE_PURCHASED_TOPIC", f"NotePurchased-{resources_stage}"),
        admin_phone=_setting(environ, "ADMIN_PHONE", _DEFAULTS["ADMIN_PHONE"]),
        cors_origin=_setting(environ, "CORS_ORIGIN", _DEFAULTS["CORS_ORIGIN"]),
        currency="usd",
        on_chalice_cli="AWS_CHALICE_CLI_MODE" in environ,
        serves_api=environ.get("_HANDLER") != "app.notify",
        xray_daemon=environ.get("AWS_XRAY_DAEMON_ADDRESS", ""),
    )


def trace_header(environ: Mapping[str, str] = os.environ) -> str:
    """Return X-Ray's trace header of the invocation, which Lambda sets anew each time, or an empty string."""
    return environ.get("_X_AMZN_TRACE_ID", "")


def _setting(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, default)
    pattern, wanted = _RULES[name]
    if not re.fullmatch(pattern, value):
        shown = "a secret, which belongs in Parameter Store" if key_formats.STRIPE_SECRET.search(value) else repr(value)
        raise ConfigError(f"{name} is {shown}: it must be {wanted}.")
    return value
