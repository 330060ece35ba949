"""Every error the API can return, as application/problem+json (RFC 9457). openapi.yaml describes them for callers."""

from typing import Any

from chalice.app import ChaliceUnhandledError, Response

# By kind: status, title, and the metric that counts it. The kind is the code; a card error has Stripe's code.
PROBLEMS: dict[str, tuple[int, str, str | None]] = {
    "invalid_request": (400, "The request is invalid", None),
    "card_error": (402, "The card was declined", "Declines"),
    "signature_invalid": (400, "The signature is invalid", "WebhookRefusals"),
    "caller_unknown": (403, "The caller is unknown", None),
    "not_found": (404, "Not found", None),
    "method_not_allowed": (405, "Method not allowed", None),
    "idempotency_key_in_use": (409, "The first request with this key is still running", None),
    "idempotency_key_reused": (409, "The key was used for another request", None),
    "body_too_large": (413, "The body is too large", None),
    "unsupported_media_type": (415, "The body is not JSON", None),
    "rate_limited": (429, "Too many requests", "ProviderErrors"),
    "internal_error": (500, "Internal error", "InternalErrors"),
    "payment_provider_error": (502, "The payment provider failed", "ProviderErrors"),
    "announcement_failed": (503, "The event could not be published", "WebhookFailures"),
    "stripe_key_rejected": (503, "The service's Stripe key was rejected", "KeyUnavailable"),
    "stripe_key_unavailable": (503, "Payments are temporarily unavailable", "KeyUnavailable"),
    "webhook_secret_unavailable": (503, "The signature cannot be verified right now", "WebhookFailures"),
    "outcome_unknown": (504, "The payment provider did not respond in time", "ProviderErrors"),
}


class Problem(ChaliceUnhandledError):
    """An error with a response. Chalice passes a ChaliceUnhandledError on to the app's middleware, which sends it."""

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
        """
        :param kind: a row of PROBLEMS, which has status and title.
        :param detail: one or two sentences that are safe to show a person.
        :param code: for programs, if it is not the kind: a card error has Stripe's code.
        :param retry_after: seconds, for the header Retry-After (RFC 9110, 10.2.3).
        :param allow: for the header Allow (RFC 9110, 10.2.1).
        :param cause: what really happened, only for the log.
        :param members: further members (RFC 9457, 3.2) such as payment_id. None is left out.
        """
        super().__init__(f"{kind}: {detail}")
        self.status, self.title, self._metric = PROBLEMS[kind]
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
        """Return the CloudWatch metrics that count this problem, each with its dimensions."""
        if self._metric is None:
            return []
        reason = str(self.members.get("decline_code", self.code))
        return [(self._metric, {"reason": reason} if self.kind == "card_error" else {})]

    def response(self, request_id: str) -> Response:
        """Return the HTTP response.

        :param request_id: identifies the request in the logs.
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
    """Return the problem of a request that does not follow the contract.

    :param errors: (field, what is wrong with it) for each bad field: of the body, a header or the query.
    """
    detail = "; ".join(f"{field} {reason}" for field, reason in errors)
    members = [{"field": field, "detail": reason} for field, reason in errors]
    return Problem("invalid_request", f"{detail}.", errors=members)


def internal_error() -> Problem:
    """Return the problem of a bug."""
    return Problem(
        "internal_error",
        "Retry. If the error persists, send the request_id to the operator.",
    )


def from_chalice(response: Response) -> Problem | None:
    """Return the problem for an error response that Chalice itself made, or None for any other response."""
    if response.status_code < 400 or not (isinstance(response.body, dict) and "Code" in response.body):
        return None
    if response.status_code == 405:
        allow = str(response.headers.get("Allow", ""))
        return Problem("method_not_allowed", f"This URL supports {allow}.", allow=allow)
    if response.status_code == 415:
        return Problem("unsupported_media_type", "Send the body with Content-Type: application/json.")
    return internal_error()
