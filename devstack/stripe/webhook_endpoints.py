"""WebhookEndpoints, as the API manages them (https://docs.stripe.com/api/webhook_endpoints)."""

from urllib.parse import urlsplit

from devstack.stripe import errors, lists, metadata
from devstack.stripe.account import Object
from devstack.stripe.calls import Call
from devstack.stripe.ids import new_id


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
        secret=new_id("whsec", 32),
        status="enabled",
    )
    return call.account.add(endpoint)


def retrieve(call: Call) -> Object:
    """Handle ``GET /v1/webhook_endpoints/{id}``."""
    return _without_secret(call.account.find("webhook_endpoint", call.id))


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
    return _without_secret(endpoint)


def delete(call: Call) -> Object:
    """Handle ``DELETE /v1/webhook_endpoints/{id}``."""
    call.account.find("webhook_endpoint", call.id)
    del call.account.tables["webhook_endpoint"][call.id]
    call.webhooks.cancel(call.id)
    return {"id": call.id, "object": "webhook_endpoint", "deleted": True}


def list_all(call: Call) -> Object:
    """Handle ``GET /v1/webhook_endpoints``."""
    page = lists.page(call, "webhook_endpoint")
    return {**page, "data": [_without_secret(endpoint) for endpoint in page["data"]]}


def _without_secret(endpoint: Object) -> Object:
    return {name: value for name, value in endpoint.items() if name != "secret"}
