"""One API call from key to answer: authenticated, found, checked, executed once, and put into words."""

from collections.abc import Callable
from typing import Any

from devstack.stripe import errors, expansions, keys, parameters, routes
from devstack.stripe.account import API_VERSION, Account, Call, EventFeed, both_modes
from devstack.stripe.errors import StripeError
from devstack.stripe.idempotency import Result, Results
from devstack.stripe.ids import new_id
from devstack.stripe.keys import Keys
from devstack.stripe.messages import Answer, Request, encoded
from devstack.stripe.routes import Route
from devstack.stripe.webhooks import Attempt, Webhooks


class Api:
    """The API of one account, both modes. Safe to use from many threads."""

    def __init__(
        self,
        on_event: Callable[[dict[str, Any]], None] | None,
        clock: Callable[[], float],
        webhook_pause: float,
        on_delivery: Callable[[Attempt], None] | None,
    ) -> None:
        """Begin with nothing in the account.

        :param on_event: gets each event; see :class:`devstack.stripe.account.EventFeed`.
        :param clock: the time in Unix seconds.
        :param webhook_pause: see :class:`devstack.stripe.webhooks.Webhooks`.
        :param on_delivery: as above.
        :raises ValueError: the pause is not above 0.
        """
        self.keys = Keys()
        self.accounts = both_modes()
        self.webhooks = Webhooks(self.accounts, clock, webhook_pause, on_delivery)
        self.feed = EventFeed(on_event, self.webhooks)
        self._clock = clock
        self._results = Results(clock)

    def answer(
        self, request: Request, pause: Callable[[], None] = lambda: None, failure: StripeError | None = None
    ) -> Answer:
        """Answer a call.

        :param request: the call.
        :param pause: is called just before the execution, with the idempotency key claimed. ConnectionAbortedError
            from it ends the call with nothing executed, and the key free.
        :param failure: what the execution ends with, in the place of doing anything.
        """
        request_id = new_id("req", 14)
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
        }
        try:
            return self._answer(request, request_id, headers, pause, failure)
        except StripeError as error:
            return Answer(error.status, _error_body(error, request_id), {**headers, **error.headers})
        except ConnectionAbortedError:
            raise
        except Exception as bug:  # noqa: BLE001 - see _execute
            return Answer(500, _error_body(_failure(bug), request_id), headers)
        finally:
            self.feed.deliver()

    def call(self, account: Account, **members: Any) -> Call:
        """Make a call of the stand-in's own, as when a customer authenticates."""
        return Call(account, self.feed, int(self._clock()), **members)

    def _answer(
        self,
        request: Request,
        request_id: str,
        headers: dict[str, str],
        pause: Callable[[], None],
        failure: StripeError | None,
    ) -> Answer:
        route, name = routes.find(request.method, request.path)
        key = self.keys.authenticate(request.key)
        account = self.accounts[key.livemode]
        if not key.allows(route.permission):
            raise errors.forbidden(keys.masked(key.value), account.id, route.permission)
        request.check_version()
        idempotency_key = request.idempotency_key
        sent = request.params
        call = self.call(account, id=name, request_id=request_id, idempotency_key=idempotency_key)

        def run() -> Result:
            checked = parameters.check(sent, route.shape)
            route.check_params(checked)
            pause()
            return _execute(route, _with_params(call, checked), failure)

        if idempotency_key is None:
            result = run()
            return Answer(result.status, result.body, headers)
        headers["Idempotency-Key"] = idempotency_key
        return self._once(call, (request.path, repr(_sorted(sent))), run, headers)

    def _once(self, call: Call, fingerprint: object, run: Callable[[], Result], headers: dict[str, str]) -> Answer:
        """Execute, or repeat the result of the first execution under the call's idempotency key."""
        assert call.idempotency_key is not None
        scope = call.livemode, call.idempotency_key
        if kept := self._results.begin(*scope, fingerprint):
            again = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
            return Answer(kept.status, kept.body, {**headers, **again})
        result = None
        try:
            result = run()
        finally:
            self._results.end(*scope, result)
        return Answer(result.status, result.body, {**headers, "Original-Request": result.request_id})


def _execute(route: Route, call: Call, failure: StripeError | None) -> Result:
    request_id = call.request_id or ""
    with call.account.lock:
        try:
            if failure is not None:
                raise failure
            answer = expansions.expanded(route.answer(call), call.params.get("expand", []), call.account)
            return Result(200, encoded(answer), request_id)
        except StripeError as error:
            return Result(error.status, _error_body(error, request_id, call.livemode), request_id)
        except Exception as bug:  # noqa: BLE001 - a bug of the stand-in's is a 500 that tells, not a cut connection
            return Result(500, _error_body(_failure(bug), request_id), request_id)


def _failure(bug: Exception) -> StripeError:
    return StripeError(500, "api_error", f"The stand-in failed: {type(bug).__name__}: {bug}")


def _with_params(call: Call, params: dict[str, Any]) -> Call:
    return Call(call.account, call.feed, call.now, params, call.id, call.request_id, call.idempotency_key)


def _error_body(error: StripeError, request_id: str, livemode: bool | None = None) -> bytes:
    members = dict(error.error)
    if livemode is not None:
        mode = "" if livemode else "test/"
        members["request_log_url"] = f"https://dashboard.stripe.com/{mode}logs/{request_id}"
    return encoded({"error": dict(sorted(members.items()))})


def _sorted(value: Any) -> Any:
    """Return parameters in an order of their own, so that the order they were sent in does not matter."""
    if isinstance(value, dict):
        return [(name, _sorted(value[name])) for name in sorted(value)]
    return [_sorted(item) for item in value] if isinstance(value, list) else value
