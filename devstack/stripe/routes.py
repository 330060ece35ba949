"""Every address of the API: its handler, its parameters, and the permission that a restricted key needs."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from stripe import params as shapes

from devstack.stripe import (
    charges,
    errors,
    expansions,
    payment_intents,
    refunds,
    webhook_endpoints,
)
from devstack.stripe.account import Object
from devstack.stripe.calls import Call


@dataclass(frozen=True)
class Route:
    """An address of the API.

    ``resource`` is part of the permission. ``validate`` validates a call's parameters beyond their types, before the
    execution, and ``handle`` executes the call. Both raise the StripeError that the API returns.
    """

    method: str
    pattern: str
    resource: str
    shape: type
    handle: Callable[[Call], Object]
    validate: Callable[[Object], None] = lambda _params: None

    @property
    def permission(self) -> str:
        """The permission that a restricted key needs, such as ``rak_charge_read``."""
        return f"rak_{self.resource}_{'read' if self.method == 'GET' else 'write'}"

    def validate_params(self, params: Object) -> None:
        """Validate a call's parameters beyond their types."""
        expansions.validate(params.get("expand", []), self.pattern.split("/")[2].removesuffix("s"))
        self.validate(params)


def _retrieve(kind: str) -> Callable[[Call], Object]:
    return lambda call: call.account.find(kind, call.id)


_INTENTS, _REFUNDS, _ENDPOINTS = "/v1/payment_intents", "/v1/refunds", "/v1/webhook_endpoints"
_INTENT, _ENDPOINT = _INTENTS + "/{id}", _ENDPOINTS + "/{id}"

ROUTES = (
    Route("POST", _INTENTS, "payment_intent", shapes.PaymentIntentCreateParams, payment_intents.create,
          payment_intents.validate_create),
    Route("GET", _INTENT, "payment_intent", shapes.PaymentIntentRetrieveParams, _retrieve("payment_intent")),
    Route("POST", _INTENT + "/cancel", "payment_intent", shapes.PaymentIntentCancelParams, payment_intents.cancel),
    Route("GET", "/v1/charges/{id}", "charge", shapes.ChargeRetrieveParams, _retrieve("charge")),
    Route("POST", _REFUNDS, "charge", shapes.RefundCreateParams, refunds.create, refunds.validate_create),
    Route("GET", _REFUNDS + "/{id}", "charge", shapes.RefundRetrieveParams, _retrieve("refund")),
    Route("GET", "/v1/disputes/{id}", "dispute", shapes.DisputeRetrieveParams, _retrieve("dispute")),
    Route("GET", "/v1/balance", "balance", shapes.BalanceRetrieveParams, charges.retrieve_balance),
    Route("GET", "/v1/events/{id}", "event", shapes.EventRetrieveParams, _retrieve("event")),
    Route("POST", _ENDPOINTS, "webhook", shapes.WebhookEndpointCreateParams, webhook_endpoints.create,
          webhook_endpoints.validate),
    Route("GET", _ENDPOINTS, "webhook", shapes.WebhookEndpointListParams, webhook_endpoints.page),
    Route("GET", _ENDPOINT, "webhook", shapes.WebhookEndpointRetrieveParams, _retrieve("webhook_endpoint")),
    Route("POST", _ENDPOINT, "webhook", shapes.WebhookEndpointUpdateParams, webhook_endpoints.update,
          webhook_endpoints.validate),
    Route("DELETE", _ENDPOINT, "webhook", shapes.WebhookEndpointDeleteParams, webhook_endpoints.delete),
)  # fmt: skip


def find_route(method: str, path: str) -> tuple[Route, str]:
    """Return the route of a call, and the id in its address (empty if the route has no id)."""
    for route in ROUTES:
        if route.method == method and (match := re.fullmatch(route.pattern.replace("{id}", "([^/]+)"), path)):
            return route, (match.groups() or ("",))[0]
    raise errors.invalid_request(
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing "
        "slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in "
        "your code. Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
        status=404,
    )
