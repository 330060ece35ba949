"""The API's error responses, in Stripe's wording (https://docs.stripe.com/api/errors)."""

from collections.abc import Mapping
from typing import Any

_DOC_URL = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """An error response: a status and ``{"error": {...}}``."""

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        """Create an error response.

        :param kind: Stripe's ``type``: ``invalid_request_error``, ``card_error``, ``api_error``, ``idempotency_error``.
        :param headers: additional headers of the response.
        :param members: other members of the error, such as ``code`` and ``param``; those that are None are left out.
        """
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.error = {"message": message, "type": kind, **{k: v for k, v in members.items() if v is not None}}
        if "code" in self.error:
            self.error["doc_url"] = _DOC_URL + self.error["code"].replace("_", "-")


def invalid_request(
    message: str, param: str | None = None, code: str | None = None, status: int = 400, **members: Any
) -> StripeError:
    """Create an ``invalid_request_error`` about a parameter such as ``payment_method_data[card][token]``."""
    return StripeError(status, "invalid_request_error", message, code=code, param=param, **members)


def missing_parameter(param: str) -> StripeError:
    """Create the error for a missing parameter."""
    return invalid_request(f"Missing required param: {param}.", param, "parameter_missing")


def reject_exclusive(params: Mapping[str, Any], *names: str) -> None:
    """Raise an error if more than one of some parameters is present."""
    if len(present := sorted(set(names) & set(params))) > 1:
        message = f"You may only specify one of these parameters: {', '.join(present)}."
        raise invalid_request(message, code="parameters_exclusive")


def no_such(
    label: str, object_id: str, param: str, *, exists_in_live: bool | None = None, status: int = 400
) -> StripeError:
    """Create the error for an object that does not exist.

    :param label: the type of object, as Stripe spells it in this message.
    :param exists_in_live: if the other mode has the object, whether that is live mode; else None.
    """
    message = f"No such {label}: '{object_id}'"
    if exists_in_live is not None:
        there, here = ("live", "test") if exists_in_live else ("test", "live")
        message += f"; a similar object exists in {there} mode, but a {here} mode key was used to make this request."
    return invalid_request(message, param, "resource_missing", status)


def unauthenticated(message: str, code: str | None = None) -> StripeError:
    """Create the error for a call without a valid key."""
    return StripeError(401, "invalid_request_error", message, {"WWW-Authenticate": 'Bearer realm="Stripe"'}, code=code)


def forbidden(masked_key: str, account_id: str, permission: str) -> StripeError:
    """Create the error for a restricted key without a permission such as ``rak_charge_read``."""
    return invalid_request(
        f"The provided key '{masked_key}' does not have the required permissions for this endpoint on account "
        f"'{account_id}'. Having the '{permission}' permission would allow this request to continue.",
        status=403,
    )


def idempotency_key_in_use(key: str) -> StripeError:
    """Create the error for an idempotency key whose first call is still running."""
    return StripeError(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
        {"Stripe-Should-Retry": "true"},
        code="idempotency_key_in_use",
    )


_RATE_LIMITED = "Too many requests hit the API too quickly. We recommend an exponential backoff of your requests."


def from_status(status: int) -> StripeError:
    """Create the error that Stripe returns with a status of 400 or more if the call itself is valid."""
    if status >= 500:
        return StripeError(status, "api_error", "An unknown error occurred. Please try again later.")
    examples = {
        401: unauthenticated("Invalid API Key provided: sk_****"),
        402: StripeError(
            402, "card_error", "Your card was declined.", code="card_declined", decline_code="generic_decline"
        ),
        403: forbidden("rk_****", "acct_****", "rak_payment_intent_write"),
        409: idempotency_key_in_use("****"),
        429: invalid_request(_RATE_LIMITED, code="rate_limit", status=429),
    }
    return examples.get(status, invalid_request("Invalid request.", status=status))
