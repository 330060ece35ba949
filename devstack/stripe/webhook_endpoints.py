"""WebhookEndpoints, as the API manages them (https://docs.stripe.com/api/webhook_endpoints)."""

import math
from urllib.parse import urlsplit

from devstack.stripe import errors, metadata
from devstack.stripe.account import Object, new_id
from devstack.stripe.calls import Call


def validate(params: Object) -> None:
    """Validate an endpoint's address. Stripe requires a public https address; the emulator accepts http on loopback."""
    metadata.merge({}, params)
    if "url" in params:
        try:
            url = urlsplit(params["url"])
            valid = url.scheme in ("http", "https") and url.hostname and url.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise errors.invalid_request("Not a valid URL", "url", "url_invalid")


def create(call: Call) -> Object:
    """Handle ``POST /v1/webhook_endpoints``. Only this response has the signing secret."""
    params = call.params
    endpoint = call.new(
        "webhook_endpoint",
        **{name: params.get(name) for name in ("api_version", "enabled_events", "url")},
        description=params.get("description") or None,
        metadata=metadata.merge({}, params),
        status="enabled",
    )
    secret = new_id("whsec", 32)
    call.account.signing_secrets[endpoint["id"]] = [(secret, math.inf)]
    return {**call.account.add(endpoint), "secret": secret}


def page(call: Call) -> Object:
    """Handle ``GET /v1/webhook_endpoints``: newest first (https://docs.stripe.com/api/pagination)."""
    params = call.params
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise errors.invalid_request("This value must be 1 to 100.", "limit", "parameter_invalid_integer")
    if "ending_before" in params:
        raise errors.invalid_request("This emulator does not support `ending_before`.", "ending_before")
    items = list(call.account.tables["webhook_endpoint"].values())[::-1]
    if "starting_after" in params:
        items = items[items.index(call.account.find("webhook_endpoint", params["starting_after"])) + 1 :]
    has_more = len(items) > limit
    return {"object": "list", "data": items[:limit], "has_more": has_more, "url": "/v1/webhook_endpoints"}


def update(call: Call) -> Object:
    """Handle ``POST /v1/webhook_endpoints/{id}``."""
    endpoint = call.account.find("webhook_endpoint", call.id)
    params = call.params
    endpoint["metadata"] = metadata.merge(endpoint["metadata"], params)
    endpoint.update({name: params[name] for name in ("enabled_events", "url") if name in params})
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
        if params["disabled"]:
            call.webhooks.cancel(call.id)
    return endpoint


def delete(call: Call) -> Object:
    """Handle ``DELETE /v1/webhook_endpoints/{id}``."""
    call.account.find("webhook_endpoint", call.id)
    del call.account.tables["webhook_endpoint"][call.id], call.account.signing_secrets[call.id]
    call.webhooks.cancel(call.id)
    return {"id": call.id, "object": "webhook_endpoint", "deleted": True}
