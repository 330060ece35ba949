"""Errors of AWS, as a command reports them: a missing permission as one, and never as a resource that is missing."""

from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from stagectl.aws_errors import explain
from stagectl.operator_error import PermissionDeniedError
from tests.support.fake_dev import client_error, fake_dev
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
def test_what_may_not_be_looked_up_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, command: str, code: str
):
    dev = fake_dev(tmp_path, monkeypatch)
    dev.errors[action] = client_error(code, "User: u is not authorized to perform: a:B on resource: arn:c because")
    with pytest.raises(ClientError) as raised:
        run(dev, *command.split(), "--stage", "dev")
    explained = explain(raised.value)
    assert isinstance(explained, PermissionDeniedError)
    assert "a:B on arn:c" in explained.what


def response(code: str, message: str = "", status: int = 400) -> ClientError:
    content: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(content, "PutParameter")


@pytest.mark.parametrize(
    ("raised", "names"),
    [
        (response("ExpiredToken"), "expired"),
        (response("InvalidClientTokenId"), "credentials (InvalidClientTokenId)"),
        (response("ThrottlingException"), "rate of PutParameter"),
        (response("InvalidKeyId", "Alias alias/nobody is not found"), "(InvalidKeyId): Alias alias/nobody"),
        (response("500", "<!doctype html>", 500), "PutParameter (HTTP status 500)"),
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
