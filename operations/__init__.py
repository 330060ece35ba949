"""What this app adds to stagectl. Each hook is optional; stagectl works without this package."""

import os
from collections.abc import Callable, Mapping
from typing import Any

# stripe-python reads it at import, and then prints whole responses, such as a new endpoint's with its signing secret.
os.environ.pop("STRIPE_LOG", None)

import click

from operations import probes, smoke, stripe_account, webhook_endpoint, webhook_group
from operations.checks import CHECKS as CHECKS
from operations.package_contents import PACKAGE_DATA as PACKAGE_DATA
from operations.package_contents import PACKAGE_EXCLUDES as PACKAGE_EXCLUDES
from stagectl.context import Step

COMMANDS: Mapping[str, tuple[click.Command, ...]] = {"": (webhook_group.group, smoke.command)}
"""Commands by the group of stagectl that they are added to; ``""`` is stagectl itself."""

DEPLOY_STEPS = (
    Step("webhook", "Stripe's events reach the API", webhook_endpoint.deploy, before="doctor"),
    Step("smoke", "requests to the API", smoke.deploy, after="doctor"),
)
"""Steps of `stagectl deploy`, each before or after a core step. ``run`` raises OperatorError to stop the deploy."""

VERIFY: Mapping[str, Callable[[Any, Any], None]] = {"stripe": stripe_account.check}
"""Checks by an issuer of secrets, by the name in a row's ``verify``: ``(config, value)``, raises OperatorError."""

ISSUER_PAGES: Mapping[str, Callable[[Any], str]] = {"stripe": stripe_account.keys_page}
"""The address, for a stage's ``config``, of the page where an issuer's secrets are made and revoked."""

PROBES: Mapping[str, Callable[[Any, str], int | None]] = {"stripe-key": probes.key_version}
"""By secret: the version that a deployed function uses, ``(boto3's Lambda client, function name)``; None if unknown."""
