"""Hooks for what OpenAPI cannot describe. schemathesis loads this module in its own process (see tests.fuzz)."""

import os
import time
import zlib
from typing import Any

import requests
import schemathesis
from schemathesis import GenerationMode

from devstack.stripe.webhooks import signature

# Generated tokens fit the pattern but do not exist at Stripe. They are replaced by these; Stripe declines some of them.
_KNOWN = {
    "payment_method": ["pm_card_visa", "pm_card_processing", "pm_card_authenticationRequired",
                       "pm_card_visa_chargeDeclined"],
    "confirmation_token": ["ctoken_visa"],
    "source": ["tok_visa", "tok_chargeDeclinedInsufficientFunds", "tok_threeDSecure2Required"],
}  # fmt: skip


@schemathesis.hook
def before_load_schema(ctx: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Remove the signatures, which `chalice local` does not check, and the preflights, whose response never varies."""
    raw_schema["components"].pop("securitySchemes")
    for item in raw_schema["paths"].values():
        item.pop("options", None)
        for name in ("get", "post"):
            item.get(name, {}).pop("security", None)


@schemathesis.hook
def map_body(ctx: schemathesis.HookContext, body: Any) -> Any:
    if isinstance(body, dict):
        if isinstance(body.get("storage"), float) and body["storage"].is_integer():
            body["storage"] = int(body["storage"])  # 1.0 is an integer in JSON Schema, but not in the API
        for name, known in _KNOWN.items():
            given = body.get(name)
            if isinstance(given, str) and given.startswith(known[0].partition("_")[0] + "_"):
                body[name] = known[zlib.crc32(given.encode(errors="replace")) % len(known)]
    return body


@schemathesis.hook
def map_path_parameters(ctx: schemathesis.HookContext, path_parameters: Any) -> Any:
    """Request an existing payment every second time."""
    given = (path_parameters or {}).get("payment_id")
    if isinstance(given, str) and given.startswith("pi_") and zlib.crc32(given.encode(errors="replace")) % 2:
        path_parameters["payment_id"] = os.environ["FUZZ_PAYMENT"]
    return path_parameters


@schemathesis.hook
def before_call(ctx: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Sign valid events, as Stripe does; invalid ones stay unsigned."""
    of_stripe = case.operation.path == "/stripe/webhook"
    if of_stripe and case.meta and case.meta.generation.mode == GenerationMode.POSITIVE:
        kwargs["auth"] = _sign


def _sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    request.headers["Stripe-Signature"] = signature(body, int(time.time()), [os.environ["FUZZ_WEBHOOK_SECRET"]])
    return request
