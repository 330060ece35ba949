"""A stage's account at Stripe, as an operator sees it: does it take the key, and what may the key do."""

from dataclasses import dataclass

import stripe

from chalicelib.aws.credentials import read_network
from chalicelib.aws.secret import SecretValue
from chalicelib.config import StageConfig
from chalicelib.stripe_client.api import API_VERSION
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.stripe_client.transport import StripeTransport
from stagectl.errors import OperatorError

_CONNECT, _ANSWER = 5.0, 30.0  # seconds

# No objects have these names: what is asked of them changes nothing, and a permission that lacks is noticed first.
_NO_PAYMENT, _NO_CHARGE = "pi_stagectl_asks_for_a_permission", "ch_stagectl_asks_for_a_permission"


@dataclass(frozen=True)
class Permission:
    """``needed_for``: what fails without it. ``name``: as Stripe's dashboard shows it."""

    name: str
    needed_for: str


PAYMENTS_WRITE = Permission("PaymentIntents: Write", "charging")
CHARGES_READ = Permission("Charges: Read", "looking up what became of a payment")
WEBHOOKS_WRITE = Permission("Webhook Endpoints: Write", "stagectl webhook up")


def client(config: StageConfig, key: SecretValue) -> stripe.StripeClient:
    """Return Stripe's client for a stage, with the key given."""
    connection = stripe_connection(
        read_network(), config.stripe_api_base, connect_timeout=_CONNECT, response_timeout=_ANSWER
    )
    return stripe.StripeClient(
        key.reveal(),
        http_client=StripeTransport(connection),
        stripe_version=API_VERSION,
        base_addresses={"api": config.stripe_api_base},
        max_network_retries=2,
    )


def verify(config: StageConfig, key: SecretValue) -> None:
    """Check that Stripe accepts a key, with a call that changes nothing.

    :raises OperatorError: it does not.
    :raises stripe.StripeError: Stripe can't be asked.
    """
    try:
        client(config, key).v1.balance.retrieve()
    except stripe.PermissionError:
        return  # a restricted key that may not do this was accepted all the same
    except stripe.AuthenticationError as error:
        raise OperatorError(
            "Stripe does not accept the key: it was revoked, or mistyped.",
            "Nothing was stored; copy it again from Stripe's dashboard, Developers, API keys.",
        ) from error


def missing_permissions(config: StageConfig, key: SecretValue) -> list[Permission]:
    """Return what the API needs and a restricted key may not do.

    :raises stripe.StripeError: Stripe can't be asked.
    """
    asked = client(config, key).v1
    missing = []
    for permission, ask, name in (
        (PAYMENTS_WRITE, asked.payment_intents.cancel, _NO_PAYMENT),
        (CHARGES_READ, asked.charges.retrieve, _NO_CHARGE),
    ):
        try:
            ask(name)
        except stripe.PermissionError:
            missing.append(permission)
        except stripe.InvalidRequestError:
            pass  # there is no such object, which is as far as a key gets that may
    return missing


def check(config: StageConfig, key: SecretValue) -> None:
    """Check that Stripe accepts a key and that the key may do what the API does.

    :raises OperatorError: it does not, or may not.
    :raises stripe.StripeError: Stripe can't be asked.
    """
    verify(config, key)
    missing = missing_permissions(config, key)
    if missing:
        raise OperatorError(
            f"The restricted key lacks {' and '.join(permission.name for permission in missing)}.",
            "Nothing was stored; edit the key in Stripe's dashboard, Developers, API keys, and repeat.",
        )
