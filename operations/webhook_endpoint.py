"""The stage's webhook endpoint at Stripe, and its signing secret in Parameter Store.

Stripe returns an endpoint's signing secret only when the endpoint is created. The parameter's description contains the
endpoint's id: if it does not match, storing the secret was interrupted.
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
    """Return the stage's endpoints at Stripe, newest first: those created for it, and those that point at its API.

    :param key: the stage's Stripe key, or another key of its Stripe account.
    :param api_url: the API's address, None if it is not deployed.
    :raises PermissionDeniedError: the key lacks the permission to read endpoints.
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
    """Return whether :func:`up`, not an operator, stored this version."""
    return version.description.startswith(_DESCRIPTION)


def deploy(context: Context, target: Target) -> None:
    """Create or update the endpoint as a step of `stagectl deploy`."""
    key = stripe_account.key_for(target)
    try:
        with context.output.working("Updating the webhook endpoint"):
            result = up(target, key, deployed.url(target))
    except PermissionDeniedError as error:
        skip = f"stagectl deploy --stage {target.stage} --skip webhook"
        raise PermissionDeniedError(
            error.what,
            f"Give the key {stripe_account.WEBHOOKS_WRITE.name} in Stripe's dashboard, then repeat the deploy. "
            "Or create the endpoint with another key, then continue the deploy:",
            f"{error.command} && {skip}",
        ) from error
    context.output.mark("ok", f"Webhook endpoint {result}")


def up(target: Target, key: SecretValue, api_url: str) -> str:
    """Ensure that exactly one endpoint points at the API, and that its signing secret is stored.

    If the stored secret is not the endpoint's, create a new endpoint, then delete the old one. In between Stripe sends
    each event to both, and the API rejects what the old one's secret signed.

    :return: a sentence to print.
    :raises PermissionDeniedError: the key lacks the permission to manage endpoints.
    :raises OperatorError: another error of Stripe's.
    """
    with _permission(target, "up"):
        endpoints = of_stage(target, key, api_url)
        stored = secrets_store.current(target.client("ssm"), target.config.parameter("webhook-secret"))
        # An endpoint's API version is fixed when it is created.
        reusable = (it for it in endpoints if secret_is_of(stored, it) and it.api_version == API_VERSION)
        current = next(reusable, None)
        client = stripe_account.client(target.config, key).v1.webhook_endpoints
        if current:
            used, result = current.id, _update(target, client, current, api_url)
        else:
            used = _make(target, client, api_url)
            result = f"{used} was created, and its signing secret is stored."
        for other in endpoints:
            if other.id != used:
                client.delete(other.id)
                result += f" The old endpoint {other.id} was deleted."
        return result


def down(target: Target, key: SecretValue) -> list[str]:
    """Delete the endpoints that were created for the stage.

    :return: their ids.
    :raises PermissionDeniedError: the key lacks the permission to manage endpoints.
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
            "The Stripe key lacks the permission to manage webhook endpoints.",
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
