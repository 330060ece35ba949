"""Whether Stripe's events reach the API: the webhook endpoint and its signing secret."""

from stripe import WebhookEndpoint

from operations import webhook_endpoint
from operations.stripe_account import WEBHOOKS_WRITE
from operations.stripe_key_checks import usable_key
from stagectl.doctor.context import CheckContext, Verdict, fail, fetch_once, ok, warn
from stagectl.operator_error import PermissionDeniedError


@fetch_once
def _endpoints(context: CheckContext) -> list[WebhookEndpoint] | None:
    """Fetch the stage's webhook endpoints from Stripe; None if the key may not list them. Requires a usable key."""
    key, apis = usable_key(context), context.apis()
    assert key
    try:
        return webhook_endpoint.of_stage(context.target, key, apis[0].url if apis else None)
    except PermissionDeniedError:
        return None


def webhook(context: CheckContext) -> Verdict | None:
    """Check that exactly one enabled endpoint at Stripe points at the API and receives every event."""
    if usable_key(context) is None or not context.apis():
        return None
    urls, up = [api.url + webhook_endpoint.PATH for api in context.apis()], context.stagectl("webhook up")
    endpoints = _endpoints(context)
    if endpoints is None:
        return warn(
            f"The stored key lacks {WEBHOOKS_WRITE.name}, so Stripe's webhook endpoint was not checked.",
            "Check it with another key, which is not stored:",
            f"{up} --ask-key",
        )
    if not endpoints:
        return fail("Stripe has no webhook endpoint for the stage, so no purchase is announced.", command=up)
    here = [endpoint for endpoint in endpoints if endpoint.url in urls]
    if not here:
        others = ", ".join(endpoint.url for endpoint in endpoints)
        return fail(f"Stripe's webhook endpoint points at {others}, not at {urls[0]}.", command=up)
    enabled = [endpoint for endpoint in here if endpoint.status == "enabled"]
    if not enabled:
        return fail(f"Stripe's webhook endpoint {here[0].id} is disabled.", command=up)
    missing = sorted(set(webhook_endpoint.EVENTS) - set(enabled[0].enabled_events))
    if missing and "*" not in enabled[0].enabled_events:
        return fail(f"Stripe's webhook endpoint {enabled[0].id} does not receive {', '.join(missing)}.", command=up)
    if len(enabled) > 1:
        ids = ", ".join(endpoint.id for endpoint in enabled)
        return warn(f"Several webhook endpoints at Stripe point here, and all but one are rejected: {ids}.", command=up)
    return ok(f"Stripe's webhook endpoint {enabled[0].id} is enabled and points here.")


def webhook_secret(context: CheckContext) -> Verdict | None:
    """Check that the stored signing secret is encrypted and the endpoint's."""
    name, stored = context.config.parameter("webhook-secret"), context.secret("webhook-secret")
    up = context.stagectl("webhook up")
    if stored is None:
        return fail(f"{name} is not stored, so every webhook is rejected.", command=up)
    if stored.type != "SecureString":
        delete = context.aws(f"ssm delete-parameter --name {name}")
        return fail(f"{name} is a {stored.type}, which is not encrypted.", command=f"{delete} && {up}")
    endpoints = _endpoints(context) if usable_key(context) and context.apis() else None
    if not endpoints:
        return None
    if any(webhook_endpoint.secret_is_of(stored, endpoint) for endpoint in endpoints):
        return ok(f"{name} is the endpoint's, stored {stored.age}.")
    version, replace = f"{name} (version {stored.number})", "Replace the endpoint and its secret:"
    if webhook_endpoint.names_an_endpoint(stored):
        return fail(f"{version} is another endpoint's secret, so webhooks are rejected.", replace, up)
    return warn(f"{version} was stored by hand, so it may not be the endpoint's.", replace, up)
