"""What went wrong in an operator's words: one sentence what happened, one what to do."""

import re
from collections.abc import Callable
from typing import Any

import stripe
from botocore import exceptions as aws
from requests import RequestException

from chalicelib.config import ConfigError
from stagectl.packaging import PackageError

# What AWS's services call the same thing (each service's API reference, Common Errors).
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_CREDENTIALS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "AuthFailure",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
    "RequestLimitExceeded",
}

# The names that IAM gives to services whose client is called otherwise.
_IAM_PREFIXES = {"events": "events", "monitoring": "cloudwatch"}

_SIGN_IN = "Sign in again (aws sso login, or new access keys), or choose credentials with --profile."


class OperatorError(Exception):
    """A command cannot go on.

    :param what: one sentence: what happened.
    :param remedy: one sentence: what to do.
    :param command: a command to paste, or several, one per line. Shown on lines of their own.
    """

    def __init__(self, what: str, remedy: str, command: str = "") -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy
        self.command = command


def explain(error: Exception) -> OperatorError | None:
    """Translate an error of AWS, Stripe or the configuration.

    :return: what to show, or None for an error that only a programmer can explain.
    """
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, ConfigError):
        return OperatorError(str(error), "Nothing was changed; mend the setting that is named.")
    if isinstance(error, PackageError):
        return OperatorError(f"The package can't be built: {error}.", "Mend that, and repeat; nothing was deployed.")
    if isinstance(error, aws.ClientError):
        return _of_answer(error)
    if isinstance(error, stripe.StripeError):
        return _of_stripe(error)
    for kind, make in _WITHOUT_ANSWER:
        if isinstance(error, kind):
            return make(error)
    return None


def is_denial(error: aws.ClientError) -> bool:
    """Tell whether AWS knows the credentials and does not let them do what was asked."""
    return code_of(error) in _DENIED


def denied_action(error: aws.ClientError) -> str:
    """Return the IAM action that a refused call needed, such as ``ssm:PutParameter``.

    Most services name it in the message; the others' operation has the action's name.
    """
    found = re.search(r"perform:? ([a-z0-9-]+:[A-Za-z]+)", str(error))
    return found[1] if found else f"the action {error.operation_name}"


def code_of(error: aws.ClientError) -> str:
    """Return the error code of an answer of AWS, such as ``ResourceNotFoundException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _of_answer(error: aws.ClientError) -> OperatorError:
    code = code_of(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in _EXPIRED:
        return OperatorError("The AWS session has expired.", _SIGN_IN)
    if code in _UNKNOWN_CREDENTIALS:
        return OperatorError(
            f"AWS does not accept the credentials ({code}).",
            "Check the profile and the clock; in a region that the account has to opt in to, enable it first.",
        )
    if is_denial(error):
        on = re.search(r"on resource: (\S+)", message)
        where = f" on {on[1]}" if on else ""
        return OperatorError(
            f"These credentials may not do {denied_action(error)}{where}.",
            "Let an administrator allow it, or choose other credentials with --profile.",
        )
    if code in _THROTTLED:
        return OperatorError(f"AWS limits the rate of {error.operation_name}.", "Repeat the command in a minute.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        return OperatorError(
            f"AWS failed at {error.operation_name} (HTTP status {status}).",
            "Repeat the command in a minute; https://health.aws.amazon.com says whether AWS has an incident.",
        )
    return OperatorError(
        f"AWS refused {error.operation_name} ({code}): {message}", "Nothing more was done; mend it, repeat."
    )


def _of_stripe(error: stripe.StripeError) -> OperatorError:
    """Translate without quoting: Stripe's messages have parts of a key that was refused."""
    if isinstance(error, stripe.AuthenticationError):
        return OperatorError(
            "Stripe does not accept the key.", "Copy it again from Stripe's dashboard, Developers, API keys."
        )
    if isinstance(error, stripe.PermissionError):
        needed = re.search(r"'(rak_\w+)'", str(error))
        return OperatorError(
            f"The restricted key lacks a permission at Stripe{f' ({needed[1]})' if needed else ''}.",
            "Give it that permission in Stripe's dashboard, Developers, API keys, and repeat.",
        )
    if isinstance(error, stripe.RateLimitError):
        return OperatorError("Stripe limits the rate of calls.", "Repeat the command in a minute.")
    if isinstance(error, stripe.APIError) and (error.http_status or 0) >= 500:
        return OperatorError(
            f"Stripe failed (HTTP status {error.http_status}).",
            "Repeat the command in a minute; https://status.stripe.com says whether Stripe has an incident.",
        )
    if isinstance(error, stripe.APIConnectionError):
        return OperatorError("Stripe can't be reached.", "Check the network and HTTPS_PROXY, and repeat the command.")
    return OperatorError(
        f"Stripe refused the call ({type(error).__name__}, HTTP status {error.http_status}).",
        "Look into Stripe's dashboard, Developers, Logs, and repeat the command.",
    )


_WITHOUT_ANSWER: list[tuple[type[Exception], Callable[[Any], OperatorError]]] = [
    (aws.UnauthorizedSSOTokenError, lambda _: OperatorError("The AWS single sign-on session has expired.", _SIGN_IN)),
    (aws.SSOTokenLoadError, lambda _: OperatorError("There is no AWS single sign-on session.", _SIGN_IN)),
    (aws.TokenRetrievalError, lambda _: OperatorError("The AWS single sign-on session has expired.", _SIGN_IN)),
    (aws.NoCredentialsError, lambda _: OperatorError("There are no AWS credentials.", _SIGN_IN)),
    (aws.PartialCredentialsError, lambda _: OperatorError("The AWS credentials are incomplete.", _SIGN_IN)),
    (aws.CredentialRetrievalError, lambda _: OperatorError("The AWS credentials could not be fetched.", _SIGN_IN)),
    (
        aws.ProfileNotFound,
        lambda error: OperatorError(f"{error}.", "`aws configure list-profiles` lists those that there are."),
    ),
    (
        aws.NoRegionError,
        lambda _: OperatorError("No AWS region is set.", "Set AWS_DEFAULT_REGION, or give --region us-east-1."),
    ),
    (
        aws.EndpointConnectionError,
        lambda error: OperatorError(f"{error}.", "Check that the region exists (--region) and the network."),
    ),
    (
        aws.HTTPClientError,
        lambda _: OperatorError("AWS can't be reached.", "Check the network and HTTPS_PROXY, and repeat."),
    ),
    (
        aws.ConnectionError,
        lambda _: OperatorError("AWS can't be reached.", "Check the network and HTTPS_PROXY, and repeat."),
    ),
    (
        aws.InvalidRegionError,
        lambda error: OperatorError(f"{error}.".replace("..", "."), "Give --region such as us-east-1."),
    ),
    (
        aws.WaiterError,
        lambda error: OperatorError(
            f"AWS did not finish: {error}.", "Look at it in AWS's console, and repeat the command."
        ),
    ),
    (
        aws.BotoCoreError,
        lambda error: OperatorError(
            f"AWS's client can't go on: {error}.", "Mend that; `aws configure list` shows what is set."
        ),
    ),
    (
        RequestException,
        lambda error: OperatorError(
            f"The API can't be reached ({type(error).__name__}).", "Check the network, and repeat."
        ),
    ),
    (
        OSError,
        lambda error: OperatorError(
            f"{error.filename or 'A file'}: {error.strerror or error}.", "Mend that, and repeat."
        ),
    ),
]
