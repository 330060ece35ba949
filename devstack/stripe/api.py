"""One API call from the key to the response: authenticated, routed, validated, and executed once."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from devstack.stripe import errors, expansions, keys, parameters, routes
from devstack.stripe.account import API_VERSION, Account, Accounts, Clock, new_id
from devstack.stripe.calls import Call
from devstack.stripe.errors import StripeError
from devstack.stripe.idempotency import Results
from devstack.stripe.keys import Keys
from devstack.stripe.listeners import EventFeed
from devstack.stripe.messages import Request, Response, encode
from devstack.stripe.routes import Route
from devstack.stripe.webhooks import Webhooks


class Api:
    """The API of one account, both modes. Safe to use from many threads."""

    def __init__(self, accounts: Accounts, webhooks: Webhooks, feed: EventFeed, clock: Clock) -> None:
        self.keys = Keys()
        self.accounts, self.webhooks, self.feed = accounts, webhooks, feed
        self._clock = clock
        self._results = Results(clock)

    def respond(self, request: Request, pause: Callable[[], None]) -> Response:
        """Respond to a call.

        :param pause: is called just before the execution, while the idempotency key is in use. If it raises
            ConnectionAbortedError, nothing is executed, and the key is free again.
        """
        headers = response_headers(request)
        try:
            result = self._run(request, headers, pause)
            return dataclasses.replace(result, headers=headers)
        except ConnectionAbortedError:
            raise
        except Exception as error:  # noqa: BLE001 - see error_response
            response = error_response(error)
            return dataclasses.replace(response, headers={**headers, **response.headers})
        finally:
            self.feed.deliver()

    def call(self, account: Account, **members: Any) -> Call:
        """Create a call, either of a client or of the emulator itself, as when a customer authenticates."""
        return Call(account, self.feed, self.webhooks, int(self._clock()), **members)

    def _run(self, request: Request, headers: dict[str, str], pause: Callable[[], None]) -> Response:
        """Return the result of a call, and add to the response's headers."""
        route, object_id = routes.find_route(request.method, request.path)
        key = self.keys.authenticate(request.key)
        account = self.accounts[key.livemode]
        if not key.allows(route.permission):
            raise errors.forbidden(keys.masked(request.key or ""), account.id, route.permission)
        idempotency_key = request.idempotency_key
        params = request.params
        call = self.call(account, id=object_id, request_id=headers["Request-Id"], idempotency_key=idempotency_key)

        def execute() -> Response:
            converted = parameters.validate(params, route.shape)
            route.validate_params(converted)
            pause()
            return _execute(route, dataclasses.replace(call, params=converted))

        if idempotency_key is None:
            return execute()
        headers["Idempotency-Key"] = idempotency_key
        fingerprint = request.path, json.dumps(params, sort_keys=True)
        result, is_replay = self._results.run((key.livemode, idempotency_key), fingerprint, execute)
        headers["Original-Request"] = result.headers["Request-Id"]
        if is_replay:
            headers["Idempotent-Replayed"] = "true"
        return result


def response_headers(request: Request) -> dict[str, str]:
    """Return the headers of every response, with a new request id."""
    return {"Request-Id": new_id("req", 14), "Stripe-Version": request.headers.get("stripe-version", API_VERSION)}


def _execute(route: Route, call: Call) -> Response:
    headers = {"Request-Id": call.request_id or ""}
    with call.account.lock:
        try:
            response = expansions.expand(route.handle(call), call.params.get("expand", []), call.account)
            return Response(200, encode(response), headers)
        except Exception as error:  # noqa: BLE001 - see error_response
            return dataclasses.replace(error_response(error), headers=headers)


def error_response(error: Exception) -> Response:
    """Return the response of an error; a bug of the emulator returns a 500 that names it, not a cut connection."""
    if not isinstance(error, StripeError):
        error = StripeError(500, "api_error", f"The emulator failed: {type(error).__name__}: {error}")
    body = encode({"error": dict(sorted(error.error.items()))})
    return Response(error.status, body, error.headers)
