"""Errors of AWS, as a command reports them: a missing permission as one, and never as a resource that is missing."""

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from stagectl.aws_errors import explain
from stagectl.operator_error import PermissionDeniedError
from tests.support.fake_dev import FakeDev, client_error
from tests.support.stagectl_run import run


@pytest.mark.parametrize(
    ("action", "command"),
    [
        ("sts.get_caller_identity", "secrets list"),
        ("ssm.describe_parameters", "secrets list"),
        ("ssm.describe_parameters", "webhook up"),
        ("ssm.get_parameter_history", "secrets history"),
        ("ssm.get_parameter_history", "secrets rollback"),
        ("apigateway.get_rest_apis", "webhook up"),
        ("cloudformation.describe_stacks", "resources up"),
        ("cloudformation.describe_stacks", "resources down --yes"),
    ],
)
@pytest.mark.parametrize(
    "code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"]
)
def test_what_may_not_be_looked_up_is_not_missing(dev: FakeDev, action: str, command: str, code: str):
    dev.errors[action] = client_error(code, "User: u is not authorized to perform: a:B on resource: arn:c because")
    with pytest.raises(ClientError) as raised:
        run(dev, *command.split(), "--stage", "dev")
    explained = explain(raised.value)
    assert isinstance(explained, PermissionDeniedError)
    assert "a:B on arn:c" in explained.what


@pytest.mark.parametrize(
    ("raised", "names"),
    [
        (client_error("ExpiredToken"), "expired"),
        (client_error("InvalidClientTokenId"), "credentials (InvalidClientTokenId)"),
        (client_error("ThrottlingException"), "rate of Operation"),
        (client_error("InvalidKeyId", "Alias alias/nobody is not found"), "(InvalidKeyId): Alias alias/nobody"),
        (client_error("500", "<!doctype html>", 500), "Operation (HTTP status 500)"),
        (exceptions.NoCredentialsError(), "no AWS credentials"),
        (exceptions.ProfileNotFound(profile="nobody"), "nobody"),
        (exceptions.UnauthorizedSSOTokenError(), "sign-on session has expired"),
        (PermissionError(13, "Permission denied", "/etc/x"), "/etc/x: Permission denied"),
    ],
    ids=str,
)
def test_other_errors_name_their_cause(raised: Exception, names: str):
    explained = explain(raised)
    assert explained is not None
    assert names in explained.what
    assert "<" not in explained.what
    assert not isinstance(explained, PermissionDeniedError)
