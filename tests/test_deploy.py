"""`chalice deploy`, for real, on emulated AWS: what each stage's function and role get."""

import fnmatch
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.apigateway.models import APIGatewayBackend

from tests.support import PROJECT, Stack

ACCOUNT = "arn:aws:{}:us-east-1:123456789012:{}"
LIVE_KEY = ACCOUNT.format("ssm", "parameter/stripeSecretKey/live")
TEST_KEY = ACCOUNT.format("ssm", "parameter/stripeSecretKey/test")


@pytest.fixture
def deployable(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Emulated AWS that takes what Chalice sends: moto wants OpenAPI 3, and knows no integration without an address."""
    import_rest_api = APIGatewayBackend.import_rest_api

    def import_swagger(self: Any, api_doc: dict[str, Any], fail_on_warnings: bool) -> Any:
        document = {name: value for name, value in api_doc.items() if name != "swagger"}
        document |= {"openapi": "3.0.1", "info": {"description": "", **api_doc["info"]}}
        for path, operations in api_doc["paths"].items():
            document["paths"][path] = {name: value for name, value in operations.items() if name != "options"}
        return import_rest_api(self, document, fail_on_warnings)

    monkeypatch.setattr(APIGatewayBackend, "import_rest_api", import_swagger)
    return stack


def copy_of_the_project(folder: Path) -> Path:
    """The project without requirements.txt, so that deploying downloads nothing."""
    (folder / ".chalice").mkdir()
    for file in ("app.py", "chalicelib", ".chalice/config.json"):
        (folder / file).symlink_to(PROJECT / file)
    for policy in (PROJECT / ".chalice").glob("policy-*.json"):
        (folder / ".chalice" / policy.name).symlink_to(policy)
    return folder


def deploy(stack: Stack, folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    chalice = Path(sys.executable).with_name("chalice")
    command = [chalice, "deploy", "--stage", stage]
    return subprocess.run(
        command, cwd=folder, env=stack.environment(), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(params=["prod", "dev", "featureX"])
def deployed(
    request: Any, deployable: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Any, Any]]:
    """A stage that was just deployed: its name, the function's configuration, its role's policies."""
    environment = deployable.environment
    monkeypatch.setattr(
        deployable, "environment", lambda: {k: v for k, v in environment().items() if k != "STRIPE_API_BASE"}
    )
    stage = request.param
    done = deploy(deployable, copy_of_the_project(tmp_path), stage)
    assert done.returncode == 0, done.stderr
    assert deployable.reads() == 0  # app.py was imported, and no secret was read
    left = "".join(file.read_text(errors="replace") for file in tmp_path.rglob("*") if file.is_file())
    assert deployable.key not in left + done.stdout + done.stderr
    function = deployable.aws.client("lambda").get_function(FunctionName=f"notes-billing-{stage}")["Configuration"]
    iam, role = deployable.aws.client("iam"), function["Role"].rpartition("/")[2]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    yield stage, function, [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    deployable.aws.client("lambda").delete_function(FunctionName=f"notes-billing-{stage}")


def allows(policies: list[Any], action: str, resource: str) -> bool:
    """Evaluate identity policies as IAM does: an explicit deny wins, then an allow, else no."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in policy["Statement"]
        if any(fnmatch.fnmatchcase(action, pattern) for pattern in _list(statement["Action"]))
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _list(statement["Resource"]))
    }
    return effects == {"Allow"}


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_a_deployed_stage_gets_its_variables_and_its_role_alone(deployed, deployable: Stack):
    stage, function, policies = deployed
    live = stage == "prod"
    variables = function["Environment"]["Variables"]
    assert variables["STAGE"] == ("prod" if live else "dev")  # an undeclared stage deploys with dev's configuration
    assert variables["RESOURCES_STAGE"] == ("prod" if live else "dev")
    assert "STRIPE_API_BASE" not in variables
    assert not any("sk_" in value for value in variables.values())
    assert function["Timeout"] == 28
    assert function["TracingConfig"] == {"Mode": "Active"}

    assert allows(policies, "ssm:GetParameter", LIVE_KEY) is live
    assert allows(policies, "ssm:GetParameter", TEST_KEY) is not live
    for action in ("ssm:GetParameters", "ssm:GetParametersByPath", "ssm:GetParameterHistory", "ssm:PutParameter"):
        assert not allows(policies, action, LIVE_KEY)
        assert not allows(policies, action, TEST_KEY)
    assert not allows(policies, "ssm:GetParameter", ACCOUNT.format("ssm", "parameter/other"))
    for topic in ("prod", "dev"):
        published = allows(policies, "sns:Publish", ACCOUNT.format("sns", f"NotePurchased-{topic}"))
        assert published is (live if topic == "prod" else not live)
        secret = ACCOUNT.format("ssm", f"parameter/stripeWebhookSecret/{topic}")
        assert allows(policies, "ssm:GetParameter", secret) is (live if topic == "prod" else not live)
        log = ACCOUNT.format("logs", f"log-group:/aws/lambda/notes-billing-{topic}:log-stream:x")
        assert allows(policies, "logs:PutLogEvents", log) is (live if topic == "prod" else not live)
    assert allows(policies, "xray:PutTraceSegments", "*")
    assert not allows(policies, "sns:Publish", "+14151234567")
    assert not allows(policies, "kms:Decrypt", ACCOUNT.format("kms", "key/1"))
    assert not allows(policies, "iam:PassRole", "arn:aws:iam::123456789012:role/x")


@pytest.mark.parametrize("stage", ["prod", "dev"])
def test_notify_may_text_phones_and_nothing_else(stage):
    policies = [json.loads((PROJECT / f".chalice/policy-{stage}-notify.json").read_text())]
    assert allows(policies, "sns:Publish", "+14151234567")
    assert not allows(policies, "sns:Publish", ACCOUNT.format("sns", f"NotePurchased-{stage}"))
    assert not allows(policies, "ssm:GetParameter", TEST_KEY)
    assert not allows(policies, "ssm:GetParameter", LIVE_KEY)
    own = ACCOUNT.format("logs", f"log-group:/aws/lambda/notes-billing-{stage}-notify:log-stream:x")
    assert allows(policies, "logs:PutLogEvents", own)
    assert not allows(policies, "logs:PutLogEvents", own.replace("-notify", ""))


def test_the_package_holds_the_app_alone(deployable: Stack, tmp_path: Path):
    folder = copy_of_the_project(tmp_path)
    assert deploy(deployable, folder, "featureX").returncode == 0
    (archive,) = (folder / ".chalice" / "deployments").glob("*.zip")
    names = {name.split("/")[0] for name in zipfile.ZipFile(io.BytesIO(archive.read_bytes())).namelist()}
    assert names == {"app.py", "chalice", "chalicelib"}
