"""The stand-in's own addresses under ``/_devstack/``, for people at a terminal: JSON in, JSON out, no key.

| address | body |
|---|---|
| ``POST /_devstack/faults`` | what :meth:`devstack.stripe.faults.Faults.add` takes |
| ``DELETE /_devstack/faults`` | |
| ``POST /_devstack/payment_intents/{id}/authenticate`` | ``{"outcome": "succeed"}`` or ``"fail"`` |
| ``POST /_devstack/payment_intents/{id}/settle`` | the same, for one that is processing |
| ``POST /_devstack/payment_intents/{id}/dispute`` | |
| ``POST /_devstack/webhooks`` | what :meth:`devstack.stripe.webhooks.Webhooks.disturb` takes |
| ``POST /_devstack/webhook_endpoints/{id}/roll`` | ``{"keep_old_for": 60}``, in seconds |
| ``POST /_devstack/events/{id}/resend`` | |
| ``POST /_devstack/keys`` | ``{"mode": "test"}`` or ``"live"``, and ``"restricted_to": [...]`` if it is to be |
| ``POST /_devstack/keys/revoke`` | ``{"key": "sk_test_..."}`` |
| ``GET /_devstack/state`` | |
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devstack.stripe.errors import StripeError
from devstack.stripe.messages import Answer, Request, encoded

if TYPE_CHECKING:
    from devstack.stripe.server import StripeServer

PREFIX = "/_devstack/"

_ACTION = re.compile(r"/_devstack/([^/]+)/([^/]+)/([^/]+)")
_NUMBER = (int, float)
_FAULT: dict[str, Any] = {
    "count": int,
    "status": int,
    "delay": _NUMBER,
    "delay_after": _NUMBER,
    "cut": str,
    "body": str,
    "match": str,
    "executed": bool,
    "saved": bool,
}
_DISTURBANCES: dict[str, Any] = {"duplicate_every": int, "fail_every": int, "shuffle": _NUMBER}


def answer(server: "StripeServer", request: Request) -> Answer:
    """Answer a call under ``/_devstack/``.

    :return: 400 with a sentence for what makes no sense, 404 for what is not there.
    """
    try:
        value = _answer(server, request)
    except ValueError as error:
        return _refused(400, str(error))
    except StripeError as error:
        return _refused(error.status, str(error))
    return _refused(404, f"There is no {request.method} {request.path}.") if value is None else _ok(value)


def _answer(server: "StripeServer", request: Request) -> Mapping[str, Any] | None:
    match request.method, request.path:
        case "POST", "/_devstack/faults":
            given = _body(request, _FAULT)
            if "body" in given:
                given["body"] = given["body"].encode()
            server.faults.add(**given)
            return {"added": True}
        case "DELETE", "/_devstack/faults":
            server.faults.clear()
            return {"cleared": True}
        case "POST", "/_devstack/keys":
            given = _body(request, {"mode": str, "restricted_to": list}, ("mode",))
            if not all(isinstance(name, str) for name in given.get("restricted_to", [])):
                raise ValueError("The field 'restricted_to' must be a list of names.")
            return {"key": server.keys.issue(given["mode"], given.get("restricted_to"))}
        case "POST", "/_devstack/keys/revoke":
            server.keys.revoke(_body(request, {"key": str}, ("key",))["key"])
            return {"revoked": True}
        case "POST", "/_devstack/webhooks":
            return server.webhooks.disturb(**_body(request, _DISTURBANCES))
        case "GET", "/_devstack/state":
            return _state(server)
        case "POST", path if found := _ACTION.fullmatch(path):
            return _act(server, request, (found[1], found[3]), found[2])
    return None


def _act(server: "StripeServer", request: Request, action: tuple[str, str], name: str) -> Mapping[str, Any] | None:
    match action:
        case "payment_intents", "authenticate":
            return server.authenticate(name, _outcome(request))
        case "payment_intents", "settle":
            return server.settle_payment(name, _outcome(request))
        case "payment_intents", "dispute":
            return server.dispute(name)
        case "webhook_endpoints", "roll":
            given = _body(request, {"keep_old_for": _NUMBER}, ("keep_old_for",))
            return {"secret": server.webhooks.roll(name, given["keep_old_for"])}
        case "events", "resend":
            return {"deliveries": server.webhooks.resend(name)}
    return None


def _outcome(request: Request) -> Any:
    return _body(request, {"outcome": str}, ("outcome",))["outcome"]


def _state(server: "StripeServer") -> dict[str, Any]:
    counts = {"test": Counter[str](), "live": Counter[str]()}
    for intent in server.payment_intents:
        counts["live" if intent["livemode"] else "test"][intent["status"]] += 1
    return {"requests": len(server.requests), "connections": server.connections, "payment_intents": counts}


def _body(request: Request, kinds: Mapping[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    try:
        given = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The body is no JSON: {error}.") from error
    if not isinstance(given, dict):
        raise ValueError("The body must be a JSON object.")
    for name, value in given.items():
        if name not in kinds:
            raise ValueError(f"There is no field {name!r}; there are: {', '.join(kinds)}.")
        # JSON's true is no number, though Python's True is an int.
        if not isinstance(value, kinds[name]) or (isinstance(value, bool) and kinds[name] is not bool):
            raise ValueError(f"The field {name!r} has a value of the wrong type: {value!r}.")
    if missing := [name for name in required if name not in given]:
        raise ValueError(f"The field {missing[0]!r} is missing.")
    return given


def _ok(value: Mapping[str, Any]) -> Answer:
    return Answer(200, encoded(value))


def _refused(status: int, message: str) -> Answer:
    return Answer(status, encoded({"error": {"message": message}}))
