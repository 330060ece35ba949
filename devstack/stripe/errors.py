"""Every error the API answers, as Stripe words it (https://docs.stripe.com/api/errors)."""

from collections.abc import Mapping, Sequence
from typing import Any

_DOC_URL = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """A call is refused. It becomes the answer: a status and ``{"error": {...}}``."""

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        """Word a refusal.

        :param status: the HTTP status.
        :param kind: Stripe's ``type``: ``invalid_request_error``, ``card_error``, ``api_error``, ``idempotency_error``.
        :param message: a sentence for a person.
        :param headers: further headers of the answer.
        :param members: further members of the error, such as ``code`` and ``param``; None leaves one out.
        """
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.error = {"message": message, "type": kind, **{k: v for k, v in members.items() if v is not None}}
        if "code" in self.error:
            self.error["doc_url"] = doc_url(self.error["code"])


def doc_url(code: str) -> str:
    """Return where Stripe explains an error code."""
    return _DOC_URL + code.replace("_", "-")


def invalid_request(
    message: str, param: str | None = None, code: str | None = None, status: int = 400, **members: Any
) -> StripeError:
    """Make a refusal of what was asked.

    :param message: a sentence for a person.
    :param param: the parameter at fault, as ``payment_method_data[card][token]``.
    :param code: Stripe's error code, if it has one.
    :param status: the HTTP status.
    """
    return StripeError(status, "invalid_request_error", message, code=code, param=param, **members)


def missing_parameter(param: str) -> StripeError:
    """Make the refusal of a call without a parameter that it needs."""
    return invalid_request(f"Missing required param: {param}.", param, "parameter_missing")


def exclusive_parameters(names: Sequence[str]) -> StripeError:
    """Make the refusal of parameters that may not come together."""
    listed = ", ".join(sorted(names))
    return invalid_request(f"You may only specify one of these parameters: {listed}.", code="parameters_exclusive")


def no_such(label: str, name: str, param: str, *, exists_in_live: bool | None = None, status: int = 404) -> StripeError:
    """Make the answer about an object that is not there.

    :param label: what Stripe calls such an object in this sentence.
    :param name: the id that was asked for.
    :param param: the parameter it came in.
    :param exists_in_live: the mode that has it, if the other mode has it: True for live.
    :param status: 404 where the id is in the address, 400 where it is a parameter.
    """
    message = f"No such {label}: '{name}'"
    if exists_in_live is not None:
        there, here = ("live", "test") if exists_in_live else ("test", "live")
        message += f"; a similar object exists in {there} mode, but a {here} mode key was used to make this request."
    return invalid_request(message, param, "resource_missing", status)


def unrecognized_url(method: str, path: str) -> StripeError:
    """Make the answer to an address that the API does not have."""
    return invalid_request(
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing "
        "slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in "
        "your code. Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
        status=404,
    )


def unauthenticated(message: str, code: str | None = None) -> StripeError:
    """Make the answer to a call without a key that is good."""
    return StripeError(401, "invalid_request_error", message, {"WWW-Authenticate": 'Bearer realm="Stripe"'}, code=code)


def forbidden(masked_key: str, account_id: str, permission: str) -> StripeError:
    """Make the answer to a restricted key that may not do this.

    :param masked_key: the key, as far as it may be shown.
    :param account_id: the account's id.
    :param permission: what it lacks, such as ``rak_charge_read``.
    """
    return invalid_request(
        f"The provided key '{masked_key}' does not have the required permissions for this endpoint on account "
        f"'{account_id}'. Having the '{permission}' permission would allow this request to continue.",
        status=403,
    )


def idempotency_key_reused(key: str) -> StripeError:
    """Make the refusal of an idempotency key that came with other parameters before."""
    return StripeError(
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
    )


def idempotency_key_in_use(key: str) -> StripeError:
    """Make the refusal of an idempotency key whose first call is still running."""
    return StripeError(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
        {"Stripe-Should-Retry": "true"},
        code="idempotency_key_in_use",
    )


def of_status(status: int) -> StripeError:
    """Make the error that Stripe answers with a status when the call itself is not to blame.

    :param status: an HTTP status of 400 or more.
    """
    if status == 401:
        return unauthenticated("Invalid API Key provided: sk_****")
    if status == 402:
        return StripeError(
            402, "card_error", "Your card was declined.", code="card_declined", decline_code="generic_decline"
        )
    if status == 403:
        return forbidden("rk_****", "acct_****", "rak_payment_intent_write")
    if status == 409:
        return idempotency_key_in_use("****")
    if status == 429:
        message = "Too many requests hit the API too quickly. We recommend an exponential backoff of your requests."
        return invalid_request(message, code="rate_limit", status=429)
    if status >= 500:
        return StripeError(status, "api_error", "An unknown error occurred. Please try again later.")
    return invalid_request("Invalid request.", status=status)
