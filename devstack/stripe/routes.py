"""Every address of the API: who answers it, with which parameters, and what a restricted key needs for it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from stripe import params as shapes

from devstack.stripe import (
    balance,
    charges,
    confirmations,
    disputes,
    errors,
    events,
    expansions,
    payment_intents,
    payment_methods,
    refunds,
    webhook_endpoints,
)
from devstack.stripe.account import Call, Object


def _anything(_params: Object) -> None:
    """Check no more than the types."""


@dataclass(frozen=True)
class Route:
    """An address. ``check`` looks at the parameters alone, before an execution begins; ``answer`` is the execution."""

    method: str
    pattern: str
    permission: str
    shape: type
    answer: Callable[[Call], Object]
    check: Callable[[Object], None] = _anything
    matches: Callable[[str], "re.Match[str] | None"] = field(init=False, repr=False)

    def check_params(self, params: Object) -> None:
        """Check what the types do not say about a call's parameters.

        :raises StripeError: 400.
        """
        kind = self.pattern.split("/")[2].removesuffix("s")
        listed = self.method == "GET" and "{id}" not in self.pattern
        expansions.check(params.get("expand", []), kind, listed)
        self.check(params)

    def __post_init__(self) -> None:
        expression = re.compile(self.pattern.replace("{id}", "([^/]+)"))
        object.__setattr__(self, "matches", expression.fullmatch)


_INTENTS, _REFUNDS, _ENDPOINTS = "/v1/payment_intents", "/v1/refunds", "/v1/webhook_endpoints"
_INTENT_READ, _INTENT_WRITE = "rak_payment_intent_read", "rak_payment_intent_write"
_CHARGE_READ, _CHARGE_WRITE = "rak_charge_read", "rak_charge_write"
_WEBHOOK_READ, _WEBHOOK_WRITE = "rak_webhook_read", "rak_webhook_write"

ROUTES = (
    Route("POST", _INTENTS, _INTENT_WRITE, shapes.PaymentIntentCreateParams, payment_intents.create,
          payment_intents.check_create),
    Route("GET", _INTENTS, _INTENT_READ, shapes.PaymentIntentListParams, payment_intents.list_all),
    Route("GET", _INTENTS + "/{id}", _INTENT_READ, shapes.PaymentIntentRetrieveParams, payment_intents.retrieve),
    Route("POST", _INTENTS + "/{id}/confirm", _INTENT_WRITE, shapes.PaymentIntentConfirmParams, confirmations.confirm,
          payment_methods.check),
    Route("POST", _INTENTS + "/{id}/cancel", _INTENT_WRITE, shapes.PaymentIntentCancelParams, payment_intents.cancel),
    Route("GET", "/v1/charges/{id}", _CHARGE_READ, shapes.ChargeRetrieveParams, charges.retrieve),
    Route("POST", _REFUNDS, _CHARGE_WRITE, shapes.RefundCreateParams, refunds.create, refunds.check_create),
    Route("GET", _REFUNDS, _CHARGE_READ, shapes.RefundListParams, refunds.list_all),
    Route("GET", _REFUNDS + "/{id}", _CHARGE_READ, shapes.RefundRetrieveParams, refunds.retrieve),
    Route("GET", "/v1/disputes/{id}", "rak_dispute_read", shapes.DisputeRetrieveParams, disputes.retrieve),
    Route("GET", "/v1/balance", "rak_balance_read", shapes.BalanceRetrieveParams, balance.retrieve),
    Route("GET", "/v1/events", "rak_event_read", shapes.EventListParams, events.list_all, events.check_list),
    Route("GET", "/v1/events/{id}", "rak_event_read", shapes.EventRetrieveParams, events.retrieve),
    Route("POST", _ENDPOINTS, _WEBHOOK_WRITE, shapes.WebhookEndpointCreateParams, webhook_endpoints.create,
          webhook_endpoints.check),
    Route("GET", _ENDPOINTS, _WEBHOOK_READ, shapes.WebhookEndpointListParams, webhook_endpoints.list_all),
    Route("GET", _ENDPOINTS + "/{id}", _WEBHOOK_READ, shapes.WebhookEndpointRetrieveParams,
          webhook_endpoints.retrieve),
    Route("POST", _ENDPOINTS + "/{id}", _WEBHOOK_WRITE, shapes.WebhookEndpointUpdateParams, webhook_endpoints.update,
          webhook_endpoints.check),
    Route("DELETE", _ENDPOINTS + "/{id}", _WEBHOOK_WRITE, shapes.WebhookEndpointDeleteParams,
          webhook_endpoints.delete),
)  # fmt: skip


def find(method: str, path: str) -> tuple[Route, str]:
    """Find who answers a call.

    :return: the route, and the id in the address (empty if there is none).
    :raises StripeError: 404, there is no such address.
    """
    for route in ROUTES:
        if route.method == method and (match := route.matches(path)):
            return route, (match.groups() or ("",))[0]
    raise errors.unrecognized_url(method, path)
