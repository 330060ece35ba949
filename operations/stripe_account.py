"""A stage's account at Stripe, as an operator uses it: the client, its errors, and checks of the key."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import click
import stripe

from chalicelib.aws.credentials import read_network
from chalicelib.config import StageConfig
from chalicelib.stripe_client.api import API_VERSION
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.stripe_client.transport import StripeTransport
from stagectl import secrets_store
from stagectl.aws.secret import SecretValue
from stagectl.operator_error import OperatorError, PermissionDeniedError
from stagectl.prompt import SecretInput
from stagectl.target import Target

_CONNECT, _RESPONSE = 5.0, 30.0  # seconds

# No objects have these names: a call for them changes nothing, and Stripe checks the permission first.
_NO_PAYMENT, _NO_CHARGE = "pi_stagectl_tests_a_permission", "ch_stagectl_tests_a_permission"


@dataclass(frozen=True)
class Permission:
    """``name``: as Stripe's dashboard shows it. ``needed_for``: what fails without it."""

    name: str
    needed_for: str


PAYMENTS_WRITE = Permission("PaymentIntents: Write", "charging")
CHARGES_READ = Permission("Charges: Read", "retrieving a payment's status")
WEBHOOKS_WRITE = Permission("Webhook Endpoints: Write", "making the webhook endpoint")


class KeyRejectedError(OperatorError):
    """Stripe does not accept the key."""


def client(config: StageConfig, key: SecretValue) -> stripe.StripeClient:
    """Return Stripe's client for a stage, with the key given."""
    connection = stripe_connection(
        read_network(), config.stripe_api_base, connect_timeout=_CONNECT, response_timeout=_RESPONSE
    )
    return stripe.StripeClient(
        key.reveal(),
        http_client=StripeTransport(connection),
        stripe_version=API_VERSION,
        base_addresses={"api": config.stripe_api_base},
        max_network_retries=2,
    )


def keys_page(config: StageConfig) -> str:
    """Return the address of the dashboard's page of API keys."""
    return "https://dashboard.stripe.com/" + ("apikeys" if config.livemode else "test/apikeys")


@contextmanager
def stripe_errors() -> Iterator[None]:
    """Translate Stripe's errors, without quoting them: Stripe's messages contain parts of a key that it rejects.

    :raises KeyRejectedError: Stripe does not accept the key.
    :raises PermissionDeniedError: a restricted key lacks a permission.
    :raises OperatorError: another error of Stripe's.
    """
    try:
        yield
    except stripe.StripeError as error:
        raise _translate(error) from error


def _translate(error: stripe.StripeError) -> OperatorError:
    if isinstance(error, stripe.AuthenticationError):
        return KeyRejectedError(
            "Stripe does not accept the key: it was revoked or mistyped.",
            "Nothing was stored. Copy it again from Stripe's dashboard, Developers, API keys.",
        )
    if isinstance(error, stripe.PermissionError):
        needed = re.search(r"'(rak_\w+)'", str(error))
        return PermissionDeniedError(
            f"The restricted key lacks a permission at Stripe{f' ({needed[1]})' if needed else ''}.",
            "Add the permission in Stripe's dashboard, Developers, API keys, then repeat.",
        )
    if isinstance(error, stripe.RateLimitError):
        return OperatorError("Stripe limits the rate of calls.", "Repeat the command in a minute.")
    if isinstance(error, stripe.APIConnectionError):
        return OperatorError("Stripe can't be reached.", "Check the network and HTTPS_PROXY, then repeat.")
    if isinstance(error, stripe.APIError) and (error.http_status or 0) >= 500:
        return OperatorError(
            f"Stripe failed (HTTP status {error.http_status}).",
            "Repeat the command in a minute. Stripe reports its incidents on https://status.stripe.com.",
        )
    return OperatorError(
        f"Stripe refused the call ({type(error).__name__}, HTTP status {error.http_status}).",
        "Check Stripe's dashboard, Developers, Logs, then repeat the command.",
    )


def verify(config: StageConfig, key: SecretValue) -> None:
    """Check that Stripe accepts a key, with a call that changes nothing.

    :raises KeyRejectedError: it does not.
    :raises OperatorError: Stripe did not respond as expected.
    """
    # Stripe accepts a restricted key even if it may not do this.
    with stripe_errors(), suppress(stripe.PermissionError):
        client(config, key).v1.balance.retrieve()


def missing_permissions(config: StageConfig, key: SecretValue) -> list[Permission]:
    """Return the permissions that the API needs and a restricted key lacks.

    :raises OperatorError: Stripe did not respond as expected.
    """
    calls = client(config, key).v1
    missing = []
    for permission, call, name in (
        (PAYMENTS_WRITE, calls.payment_intents.cancel, _NO_PAYMENT),
        (CHARGES_READ, calls.charges.retrieve, _NO_CHARGE),
    ):
        try:
            with stripe_errors(), suppress(stripe.InvalidRequestError):  # no such object: the key has the permission
                call(name)
        except PermissionDeniedError:
            missing.append(permission)
    return missing


def check(config: StageConfig, key: SecretValue) -> None:
    """Check that Stripe accepts a key and that it has the permissions that the API needs.

    :raises OperatorError: it does not, or has not.
    """
    verify(config, key)
    missing = missing_permissions(config, key)
    if missing:
        raise OperatorError(
            f"The restricted key lacks {' and '.join(permission.name for permission in missing)}.",
            "Nothing was stored. Edit the key in Stripe's dashboard, Developers, API keys, then repeat.",
        )


# For what the stage's own key should not be allowed to do.
ask_key_option = click.option(
    "--ask-key", is_flag=True, help="Prompt for another Stripe key of the account, which is not stored."
)


def key_for(target: Target, entry: SecretInput | None = None) -> SecretValue:
    """Return the Stripe key to use: the stage's, or one that the operator enters.

    :param entry: of --ask-key.

    :raises OperatorError: it is not stored, these credentials cannot read it, or it is invalid for the stage.
    """
    if entry:
        value = entry.read(f"Stripe key of {target.stage}'s account, used once")
        secrets_store.validate(target.config, "stripe-key", value)
        return value
    name = target.config.parameter("stripe-key")
    version = secrets_store.current(target.client("ssm"), name)
    if version is None:
        raise OperatorError(f"{name} is not stored.", "Store it:", f"stagectl secrets put --stage {target.stage}")
    if version.secret is None:
        raise PermissionDeniedError(
            f"These credentials are not allowed to read {name}.",
            "Have an administrator allow ssm:GetParameter, or enter a Stripe key for this command only:",
            f"stagectl webhook up --stage {target.stage} --ask-key",
        )
    return version.secret
