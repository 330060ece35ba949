"""The emulator's own addresses under ``/_devstack/``, for use from a terminal: JSON requests and responses, no key.

| address | body |
|---|---|
| ``POST /_devstack/faults`` | ``count`` and the members of :class:`devstack.stripe.faults.Fault` |
| ``DELETE /_devstack/faults`` | |
| ``POST /_devstack/payment_intents/{id}/authenticate`` | ``{"outcome": "succeed"}`` or ``"fail"`` |
| ``POST /_devstack/payment_intents/{id}/settle`` | the same, for one that is processing |
| ``POST /_devstack/payment_intents/{id}/dispute`` | |
| ``POST /_devstack/webhooks`` | the parameters of :meth:`devstack.stripe.webhooks.Webhooks.inject_faults` |
| ``POST /_devstack/webhook_endpoints/{id}/roll`` | ``{"keep_old_for": 60}``, in seconds |
| ``POST /_devstack/keys`` | ``{"mode": "test"}`` or ``"live"``; for a restricted key, also ``"restricted_to": [...]`` |
| ``POST /_devstack/keys/revoke`` | ``{"key": "sk_test_..."}`` |
| ``GET /_devstack/state`` | |
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from devstack.stripe.emulator import Emulator
from devstack.stripe.errors import StripeError
from devstack.stripe.messages import Request, Response, encode

PREFIX = "/_devstack/"

_NUMBER = (int, float)
_FAULT: dict[str, Any] = {
    **dict.fromkeys(("count", "status"), int),
    **dict.fromkeys(("delay", "delay_after"), _NUMBER),
    **dict.fromkeys(("cut", "body", "match"), str),
    "executed": bool,
}
_WEBHOOK_FAULTS: dict[str, Any] = {"duplicate_every": int, "fail_every": int, "shuffle": _NUMBER}


def respond(emulator: Emulator, connections: int, request: Request) -> Response:
    """Respond to a call under ``/_devstack/``; 400 for an invalid body, 404 for an unknown address or object."""
    try:
        return Response(200, encode(_handle(emulator, connections, request)))
    except (ValueError, StripeError) as error:
        status = error.status if isinstance(error, StripeError) else 400
        return Response(status, encode({"error": {"message": str(error)}}))


def _handle(emulator: Emulator, connections: int, request: Request) -> Mapping[str, Any]:
    match [request.method, *request.path.removeprefix(PREFIX).split("/")]:
        case "POST", "faults":
            fault = _body(request, _FAULT)
            if "body" in fault:
                fault["body"] = fault["body"].encode()
            emulator.faults.add(**fault)
            return {"added": True}
        case "DELETE", "faults":
            emulator.faults.clear()
            return {"cleared": True}
        case "POST", "keys":
            key = _body(request, {"mode": str, "restricted_to": list}, ("mode",))
            if not all(isinstance(name, str) for name in key.get("restricted_to", [])):
                raise ValueError("The field 'restricted_to' must be a list of names.")
            return {"key": emulator.keys.issue(key["mode"], key.get("restricted_to"))}
        case "POST", "keys", "revoke":
            emulator.keys.revoke(_body(request, {"key": str}, ("key",))["key"])
            return {"revoked": True}
        case "POST", "webhooks":
            return emulator.webhooks.inject_faults(**_body(request, _WEBHOOK_FAULTS))
        case "GET", "state":
            return _state(emulator, connections)
        case "POST", "payment_intents", name, "authenticate" | "settle" as action if name:
            act = emulator.authenticate if action == "authenticate" else emulator.settle_payment
            return act(name, _body(request, {"outcome": str}, ("outcome",))["outcome"])
        case "POST", "payment_intents", name, "dispute" if name:
            return emulator.dispute(name)
        case "POST", "webhook_endpoints", name, "roll" if name:
            roll = _body(request, {"keep_old_for": _NUMBER}, ("keep_old_for",))
            return {"secret": emulator.webhooks.roll(name, roll["keep_old_for"])}
    raise StripeError(404, "invalid_request_error", f"There is no {request.method} {request.path}.")


def _state(emulator: Emulator, connections: int) -> dict[str, Any]:
    counts = {"test": Counter[str](), "live": Counter[str]()}
    for intent in emulator.payment_intents:
        counts["live" if intent["livemode"] else "test"][intent["status"]] += 1
    return {"requests": len(emulator.requests), "connections": connections, "payment_intents": counts}


def _body(request: Request, types: Mapping[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")
    for name, value in body.items():
        if name not in types:
            raise ValueError(f"There is no field {name!r}. The fields are: {', '.join(types)}.")
        # JSON's true is not a number, but Python's True is an int.
        if not isinstance(value, types[name]) or (isinstance(value, bool) and types[name] is not bool):
            raise ValueError(f"The field {name!r} has a value of the wrong type: {value!r}.")
    if missing := [name for name in required if name not in body]:
        raise ValueError(f"The field {missing[0]!r} is missing.")
    return body
