"""Every error the API can answer, as RFC 9457 problem+json. docs/http-api.md has the table for those who call it."""

from typing import Any

from chalice.app import ChaliceUnhandledError, Response

# What can go wrong, by kind: status and title. An answer's code is its kind, but a card error's is Stripe's.
PROBLEMS = {
    "invalid_request": (400, "The request is not valid"),
    "card_error": (402, "The card was declined"),
    "signature_invalid": (400, "The signature does not verify"),
    "caller_unknown": (403, "The caller is not known"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "idempotency_key_in_use": (409, "The first request with this key is still running"),
    "idempotency_key_reused": (409, "The key was used for another request"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body is not JSON"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong here"),
    "payment_provider_error": (502, "The payment provider failed"),
    "announcement_failed": (503, "The event could not be passed on"),
    "stripe_key_rejected": (503, "Payments are not available"),
    "stripe_key_unavailable": (503, "Payments are not available for the moment"),
    "webhook_secret_unavailable": (503, "The signature can't be checked for the moment"),
    "outcome_unknown": (504, "The payment provider did not answer in time"),
}


_METRICS = {
    "Declines": {"card_error"},
    "ProviderErrors": {"payment_provider_error", "outcome_unknown", "rate_limited"},
    "KeyUnavailable": {"stripe_key_unavailable", "stripe_key_rejected"},
    "WebhookFailures": {"announcement_failed", "webhook_secret_unavailable"},
    "WebhookRefusals": {"signature_invalid"},
    "InternalErrors": {"internal_error"},
}


class Problem(ChaliceUnhandledError):
    """An error with an answer. Chalice hands a ChaliceUnhandledError on to the app's middleware, which sends it."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        code: str | None = None,
        retry_after: int | None = None,
        allow: str | None = None,
        cause: str = "",
        **members: Any,
    ) -> None:
        """Make a problem.

        :param kind: a row of the table of problems, which gives status and title.
        :param detail: one or two sentences that are safe to show a person.
        :param code: for programs, where it is not the kind: a card error has Stripe's code.
        :param retry_after: seconds, for the header Retry-After (RFC 9110, 10.2.3).
        :param allow: for the header Allow (RFC 9110, 10.2.1).
        :param cause: what really happened, for the log alone.
        :param members: further members (RFC 9457, 3.2) such as payment_id; those that are None are left out.
        """
        super().__init__(f"{kind}: {detail}")
        self.status, self.title = PROBLEMS[kind]
        self.kind = kind
        self.code = code or kind
        self.detail = detail
        self.cause = cause
        self.members = {name: value for name, value in members.items() if value is not None}
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        if allow is not None:
            self.headers["Allow"] = allow

    def metrics(self) -> list[tuple[str, dict[str, str]]]:
        """Return what CloudWatch counts of this problem: metrics and their dimensions."""
        declined = {"reason": str(self.members.get("decline_code", self.code))}
        dimensions = declined if self.kind == "card_error" else {}
        return [(name, dimensions) for name, kinds in _METRICS.items() if self.kind in kinds]

    def response(self, request_id: str) -> Response:
        """Return the answer.

        :param request_id: what finds this request in the logs.
        """
        body = {
            "type": f"urn:problem-type:notes-billing:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            **self.members,
        }
        headers: dict[str, str | list[str]] = {**self.headers, "Content-Type": "application/problem+json"}
        return Response(body=body, status_code=self.status, headers=headers)


def invalid_request(*errors: tuple[str, str]) -> Problem:
    """Return the problem of a request that does not fit the contract.

    :param errors: (field, what is wrong with it) for each bad field; a field is a body's, a header's or a query's.
    """
    detail = "; ".join(f"{field} {wrong}" for field, wrong in errors)
    listed = [{"field": field, "detail": wrong} for field, wrong in errors]
    return Problem("invalid_request", f"{detail}.", errors=listed)


def of_chalice(response: Response) -> Problem | None:
    """Return the problem that stands for an error which Chalice itself answered, or None for any other answer."""
    if response.status_code < 400 or not (isinstance(response.body, dict) and "Code" in response.body):
        return None
    if response.status_code == 405:
        allow = str(response.headers.get("Allow", ""))
        return Problem("method_not_allowed", f"This address knows {allow}.", allow=allow)
    if response.status_code == 415:
        return Problem("unsupported_media_type", "Send the body as application/json, and say so in Content-Type.")
    return Problem("internal_error", "The error was logged; the request_id finds it.")
