"""The stage's webhook endpoint at Stripe, and its signing secret in Parameter Store.

Stripe returns an endpoint's signing secret only when it makes the endpoint. The parameter's description names the
endpoint, which shows an interruption between making the endpoint and storing the secret.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stripe

from chalicelib.events import purchase_event
from chalicelib.stripe_client.api import API_VERSION
from operations import stripe_account
from stagectl import deployed, project, secrets_store
from stagectl.aws.secret import SecretValue
from stagectl.context import Context
from stagectl.operator_error import PermissionDeniedError
from stagectl.target import Target

PATH = "/stripe/webhook"
EVENTS = tuple(sorted(purchase_event.ANNOUNCED))
_DESCRIPTION = "Signing secret of the webhook endpoint "


def of_stage(target: Target, key: SecretValue, api_url: str | None) -> list[stripe.WebhookEndpoint]:
    """Return the stage's endpoints at Stripe, newest first: those that were made for it, or point at its API.

    :param key: the stage's Stripe key, or another of that account.
    :param api_url: the API's address, None if it is not deployed.
    :raises PermissionDeniedError: the key may not read endpoints.
    :raises OperatorError: another error of Stripe's.
    """
    listed = stripe_account.client(target.config, key).v1.webhook_endpoints
    with stripe_account.stripe_errors():
        return [
            each
            for each in listed.list({"limit": 100}).auto_paging_iter()
            if (each.metadata and each.metadata.to_dict() == _mark(target)) or (api_url and each.url == api_url + PATH)
        ]


def secret_is_of(version: secrets_store.Version | None, endpoint: stripe.WebhookEndpoint) -> bool:
    """Return whether the stored signing secret is an endpoint's, by its description."""
    return version is not None and version.description == _DESCRIPTION + endpoint.id


def names_an_endpoint(version: secrets_store.Version) -> bool:
    """Return whether :func:`up` stored a signing secret, rather than an operator."""
    return version.description.startswith(_DESCRIPTION)


def deploy(context: Context, target: Target) -> None:
    """Make or update the endpoint as a step of `stagectl deploy`."""
    with context.output.working("Making the webhook endpoint"):
        try:
            result = up(target, stripe_account.key_for(target, ask=False), deployed.url(target))
        except PermissionDeniedError as error:
            skip = f"stagectl deploy --stage {target.stage} --skip webhook"
            raise PermissionDeniedError(
                error.what, f"{error.remedy} Then continue the deploy:", f"{error.command} && {skip}"
            ) from error
    context.output.mark("ok", f"Webhook endpoint {result}")


def up(target: Target, key: SecretValue, api_url: str) -> str:
    """Have exactly one endpoint that points at the API, with its secret stored.

    An endpoint whose secret is not the stored one is replaced: the new one is made first, so that a receiver always
    exists. Events that the old one sends until it is deleted are refused; the new one sends them too.

    :return: the result, for people.
    :raises PermissionDeniedError: the key may not manage endpoints.
    :raises OperatorError: another error of Stripe's.
    """
    with _permission(target, "up"):
        endpoints = of_stage(target, key, api_url)
        stored = secrets_store.current(target.client("ssm"), target.config.parameter("webhook-secret"))
        # An endpoint's API version is fixed when it is made.
        reusable = (it for it in endpoints if secret_is_of(stored, it) and it.api_version == API_VERSION)
        current = next(reusable, None)
        client = stripe_account.client(target.config, key).v1.webhook_endpoints
        if current:
            used, result = current.id, _update(target, client, current, api_url)
        else:
            used = _make(target, client, api_url)
            result = f"{used} was made, and its signing secret stored."
        for other in endpoints:
            if other.id != used:
                client.delete(other.id)
                result += f" {other.id}, which it replaces, was deleted."
        return result


def down(target: Target, key: SecretValue) -> list[str]:
    """Delete the endpoints that were made for the stage.

    :return: their ids.
    :raises PermissionDeniedError: the key may not manage endpoints.
    :raises OperatorError: another error of Stripe's.
    """
    client = stripe_account.client(target.config, key).v1.webhook_endpoints
    with _permission(target, "down"):
        endpoints = of_stage(target, key, None)
        for endpoint in endpoints:
            client.delete(endpoint.id)
    return [endpoint.id for endpoint in endpoints]


@contextmanager
def _permission(target: Target, command: str) -> Iterator[None]:
    try:
        with stripe_account.stripe_errors():
            yield
    except PermissionDeniedError as error:
        raise PermissionDeniedError(
            "The key may not manage webhook endpoints at Stripe.",
            f"Give it {stripe_account.WEBHOOKS_WRITE.name} in Stripe's dashboard, or use another key once:",
            f"stagectl webhook {command} --stage {target.stage} --ask-key",
        ) from error


def _make(target: Target, client: Any, api_url: str) -> str:
    """Make an endpoint, store its signing secret, and return its id."""
    description = f"{project.current().app_name}, stage {target.stage}"
    made = client.create({**_settings(target, api_url), "api_version": API_VERSION, "description": description})
    ssm, name = target.client("ssm"), target.config.parameter("webhook-secret")
    secrets_store.store(ssm, name, SecretValue(str(made.secret)), None, _DESCRIPTION + made.id)
    return str(made.id)


def _update(target: Target, client: Any, endpoint: stripe.WebhookEndpoint, api_url: str) -> str:
    url = api_url + PATH
    if endpoint.status == "enabled" and endpoint.url == url and set(endpoint.enabled_events) == set(EVENTS):
        return f"{endpoint.id} points here already; nothing was changed."
    client.update(endpoint.id, {**_settings(target, api_url), "disabled": False})
    return f"{endpoint.id} was updated: enabled, {', '.join(EVENTS)}, {url}."


def _settings(target: Target, api_url: str) -> dict[str, object]:
    return {"url": api_url + PATH, "enabled_events": list(EVENTS), "metadata": _mark(target)}


def _mark(target: Target) -> dict[str, str]:
    """Return the metadata of an endpoint that is made for a stage.

    Several AWS accounts can share an account at Stripe, and each can have a stage of that name.
    """
    home = target.account_region
    name = project.current().app_name
    return {"service": name, "stage": target.stage, "account": home.account, "region": home.region}
