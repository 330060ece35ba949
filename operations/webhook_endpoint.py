"""The stage's webhook endpoint at Stripe, and its signing secret in Parameter Store.

Stripe tells an endpoint's signing secret once, when it is made. So that an interruption between making the endpoint
and storing the secret is noticed, the parameter's description names the endpoint that the secret is of.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import stripe

from chalicelib.aws.secret import SecretValue
from chalicelib.events import purchase_event
from chalicelib.stripe_client.api import API_VERSION
from operations import stripe_account
from stagectl import secrets_store
from stagectl.errors import OperatorError
from stagectl.secrets_store import Version
from stagectl.stages import APP_NAME
from stagectl.target import Target

PATH = "/stripe/webhook"
WANTED = tuple(sorted(purchase_event.ANNOUNCED))
_OF = "Signing secret of the webhook endpoint "


@dataclass(frozen=True)
class Endpoint:
    """``enabled``: whether Stripe sends to it. ``events``: the types it is sent."""

    id: str
    url: str
    enabled: bool
    events: frozenset[str]
    api_version: str | None


class NotPermittedError(OperatorError):
    """The key is a restricted one that may not manage webhook endpoints."""


def of_stage(target: Target, key: SecretValue, api_url: str | None) -> list[Endpoint]:
    """Return the stage's endpoints at Stripe, newest first: those that were made for it, or point at its API.

    :param key: the stage's Stripe key, or another of that account.
    :param api_url: the API's address, None if it is not deployed.
    :raises stripe.StripeError: Stripe can't be asked, or the key may not read endpoints.
    """
    return [
        Endpoint(
            found.id,
            found.url,
            found.status == "enabled",
            frozenset(found.enabled_events),
            found.api_version,
        )
        for found in _all(target, key)
        if _metadata(found) == _mark(target) or (api_url and found.url == api_url + PATH)
    ]


def secret_is_of(version: Version | None, endpoint: Endpoint) -> bool:
    """Tell whether the stored signing secret is an endpoint's, as far as its description says."""
    return version is not None and version.description == _OF + endpoint.id


def names_an_endpoint(version: Version) -> bool:
    """Tell whether a signing secret was stored by :func:`up`, and not by hand."""
    return version.description.startswith(_OF)


def up(target: Target, key: SecretValue, api_url: str) -> str:
    """Have exactly one endpoint that points at the API, with its secret stored.

    An endpoint whose secret is not the stored one is replaced: the new one first, so that no event is without a
    receiver. What the old one sends until it is deleted is refused, and the new one sends the same.

    :return: what was done, for people.
    :raises NotPermittedError: the key may not do that.
    :raises stripe.StripeError: Stripe refuses.
    """
    with _permitted(target, "up"):
        return _brought_up(target, key, api_url)


def _brought_up(target: Target, key: SecretValue, api_url: str) -> str:
    endpoints = of_stage(target, key, api_url)
    stored = secrets_store.current(target.client("ssm"), target.config.parameter("webhook-secret"))
    kept = next((found for found in endpoints if _keepable(found, stored)), None)
    client = stripe_account.client(target.config, key).v1.webhook_endpoints
    if kept:
        done = _updated(target, client, kept, api_url)
    else:
        kept = _made(target, client, api_url)
        done = f"{kept.id} was made, and its signing secret stored."
    for other in endpoints:
        if other.id != kept.id:
            client.delete(other.id)
            done += f" {other.id}, which it replaces, was deleted."
    return done


def down(target: Target, key: SecretValue) -> list[str]:
    """Delete the endpoints that were made for the stage.

    :return: their ids.
    :raises NotPermittedError: the key may not do that.
    """
    client = stripe_account.client(target.config, key).v1.webhook_endpoints
    with _permitted(target, "down"):
        endpoints = of_stage(target, key, None)
        for found in endpoints:
            client.delete(found.id)
    return [found.id for found in endpoints]


@contextmanager
def _permitted(target: Target, command: str) -> Iterator[None]:
    try:
        yield
    except stripe.PermissionError as error:
        raise NotPermittedError(
            "The key may not manage webhook endpoints at Stripe.",
            f"Use another key of the account for it: stagectl webhook {command} --stage {target.stage} --ask-key; "
            f"or give this one {stripe_account.WEBHOOKS_WRITE.name} in Stripe's dashboard.",
        ) from error


def _keepable(endpoint: Endpoint, stored: Version | None) -> bool:
    # An endpoint's version is decided when it is made.
    return secret_is_of(stored, endpoint) and endpoint.api_version == API_VERSION


def _made(target: Target, client: Any, api_url: str) -> Endpoint:
    made = client.create(
        {
            "url": api_url + PATH,
            "enabled_events": list(WANTED),
            "api_version": API_VERSION,
            "description": f"{APP_NAME}, stage {target.stage}",
            "metadata": _mark(target),
        }
    )
    ssm, name = target.client("ssm"), target.config.parameter("webhook-secret")
    secrets_store.store(ssm, name, SecretValue(str(made.secret)), None, _OF + made.id)
    return Endpoint(made.id, made.url, True, frozenset(made.enabled_events), API_VERSION)


def _updated(target: Target, client: Any, endpoint: Endpoint, api_url: str) -> str:
    if endpoint.enabled and endpoint.url == api_url + PATH and endpoint.events == frozenset(WANTED):
        return f"{endpoint.id} points here already; nothing was changed."
    client.update(
        endpoint.id,
        {
            "url": api_url + PATH,
            "enabled_events": list(WANTED),
            "disabled": False,
            "metadata": _mark(target),
        },
    )
    return f"{endpoint.id} was updated: enabled, {', '.join(WANTED)}, {api_url + PATH}."


def _mark(target: Target) -> dict[str, str]:
    """Return what an endpoint that was made for a stage bears.

    Several AWS accounts can share one of Stripe's, and each can have a stage of that name.
    """
    home = target.home
    return {"service": APP_NAME, "stage": target.stage, "account": home.account, "region": home.region}


def _metadata(found: Any) -> dict[str, str]:
    return dict(found.metadata.to_dict()) if found.metadata else {}


def _all(target: Target, key: SecretValue) -> Iterator[stripe.WebhookEndpoint]:
    client = stripe_account.client(target.config, key).v1.webhook_endpoints
    yield from client.list({"limit": 100}).auto_paging_iter()
