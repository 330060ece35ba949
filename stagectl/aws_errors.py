"""Translates errors of AWS and of the file system into the error that a command reports."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as aws

from stagectl.operator_error import OperatorError, PermissionDeniedError

# Names of the same errors in AWS's services (each service's API reference, Common Errors).
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

_SIGN_IN = "Sign in again or choose other credentials with --profile."


def explain(error: Exception) -> OperatorError | None:
    """Translate an error of AWS or of the file system.

    :return: the error to report, or None for an error that only a programmer can explain.
    """
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, aws.ClientError):
        return _explain_response(error)
    for kind, what, remedy, command in _WITHOUT_RESPONSE:
        if isinstance(error, kind):
            return OperatorError(what.format(str(error).rstrip(".")), remedy, command)
    if isinstance(error, OSError):
        return OperatorError(f"{error.filename or 'A file'}: {error.strerror or error}.", "Fix this, then repeat.")
    return None


def is_denial(error: aws.ClientError) -> bool:
    """Return whether AWS knows the credentials but does not allow the action."""
    return code_of(error) in _DENIED


def denied_action(error: aws.ClientError) -> str:
    """Return the IAM action that a denied call needs, such as ``ssm:PutParameter``.

    Most services name it in the message. For the others it is the operation's name.
    """
    action = re.search(r"perform:? ([a-z0-9-]+:[A-Za-z]+)", str(error))
    return action[1] if action else f"the action {error.operation_name}"


def code_of(error: aws.ClientError) -> str:
    """Return the error code of AWS's response, such as ``ResourceNotFoundException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def ignore_error(*codes: str) -> Iterator[None]:
    """Ignore an error response of AWS with one of these codes, such as that a resource does not exist."""
    try:
        yield
    except aws.ClientError as error:
        if code_of(error) not in codes:
            raise


def _explain_response(error: aws.ClientError) -> OperatorError:
    code = code_of(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in _EXPIRED:
        return OperatorError("The AWS session has expired.", _SIGN_IN, "aws sso login")
    if code in _UNKNOWN_CREDENTIALS:
        return OperatorError(
            f"AWS does not accept the credentials ({code}).",
            "Check the profile and the clock. If the region is one that an account must opt in to, enable it.",
        )
    if is_denial(error):
        resource = re.search(r"on resource: (\S+)", message)
        on_resource = f" on {resource[1]}" if resource else ""
        return PermissionDeniedError(
            f"These credentials are not allowed to do {denied_action(error)}{on_resource}.",
            "Have an administrator allow it, or choose other credentials with --profile.",
        )
    if code in _THROTTLED:
        return OperatorError(f"AWS limits the rate of {error.operation_name}.", "Repeat the command in a minute.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        return OperatorError(
            f"AWS failed at {error.operation_name} (HTTP status {status}).",
            "Repeat the command in a minute. AWS reports its incidents on https://health.aws.amazon.com.",
        )
    return OperatorError(
        f"AWS refused {error.operation_name} ({code}): {message}",
        "Nothing was changed after that. Fix the cause, then repeat the command.",
    )


# Errors that AWS's client raises by itself: class, what happened ({} is the client's message), remedy, command.
_WITHOUT_RESPONSE: tuple[tuple[type[Exception], str, str, str], ...] = (
    (aws.UnauthorizedSSOTokenError, "The AWS single sign-on session has expired.", _SIGN_IN, "aws sso login"),
    (aws.SSOTokenLoadError, "There is no AWS single sign-on session.", _SIGN_IN, "aws sso login"),
    (aws.TokenRetrievalError, "The AWS single sign-on session has expired.", _SIGN_IN, "aws sso login"),
    (aws.NoCredentialsError, "There are no AWS credentials.", _SIGN_IN, ""),
    (aws.PartialCredentialsError, "The AWS credentials are incomplete.", _SIGN_IN, ""),
    (aws.CredentialRetrievalError, "The AWS credentials could not be fetched.", _SIGN_IN, ""),
    (aws.ProfileNotFound, "{}.", "List the profiles that exist:", "aws configure list-profiles"),
    (aws.NoRegionError, "No AWS region is set.", "Set AWS_DEFAULT_REGION, or add --region us-east-1.", ""),
    (aws.EndpointConnectionError, "{}.", "Check that the region exists (--region), and the network.", ""),
    (aws.HTTPClientError, "AWS can't be reached.", "Check the network and HTTPS_PROXY, then repeat.", ""),
    (aws.ConnectionError, "AWS can't be reached.", "Check the network and HTTPS_PROXY, then repeat.", ""),
    (aws.InvalidRegionError, "{}.", "Add --region with a region such as us-east-1.", ""),
    (aws.WaiterError, "AWS did not finish: {}.", "Check the cause in AWS's console, then repeat the command.", ""),
    (aws.BotoCoreError, "AWS's client failed: {}.", "Fix the settings that this command shows:", "aws configure list"),
)
