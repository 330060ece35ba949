"""`chalice deploy`, for real, on emulated AWS: what each stage's function and role get."""

import fnmatch
import io
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
    for stage in ("dev", "prod"):
        stack.aws.client("sns").create_topic(Name=f"NotePurchased-{stage}")
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
    yield stage, *of_function(deployable, f"notes-billing-{stage}")
    for name in (f"notes-billing-{stage}", f"notes-billing-{stage}-notify"):
        deployable.aws.client("lambda").delete_function(FunctionName=name)


def of_function(stack: Stack, name: str) -> tuple[Any, list[Any]]:
    """A deployed function's configuration, and all policies of its role."""
    function = stack.aws.client("lambda").get_function(FunctionName=name)["Configuration"]
    iam, role = stack.aws.client("iam"), function["Role"].rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return function, [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]


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


def test_notify_may_text_phones_and_nothing_else(deployed, deployable: Stack):
    stage, api, _ = deployed
    function, policies = of_function(deployable, f"notes-billing-{stage}-notify")
    resources_stage = "prod" if stage == "prod" else "dev"
    assert function["Handler"] == "app.notify"
    assert function["Role"] != api["Role"]
    assert allows(policies, "sns:Publish", "+14151234567")
    assert not allows(policies, "sns:Publish", ACCOUNT.format("sns", f"NotePurchased-{resources_stage}"))
    for parameter in (TEST_KEY, LIVE_KEY, ACCOUNT.format("ssm", f"parameter/stripeWebhookSecret/{stage}")):
        assert not allows(policies, "ssm:GetParameter", parameter)
    own = ACCOUNT.format("logs", f"log-group:/aws/lambda/notes-billing-{stage}-notify:log-stream:x")
    assert allows(policies, "logs:PutLogEvents", own)
    assert not allows(policies, "logs:PutLogEvents", own.replace("-notify", ""))
    topic = ACCOUNT.format("sns", f"NotePurchased-{resources_stage}")
    subscribed = deployable.aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert function["FunctionArn"] in [subscription["Endpoint"] for subscription in subscribed]


def test_the_package_holds_the_app_alone(deployable: Stack, tmp_path: Path):
    folder = copy_of_the_project(tmp_path)
    assert deploy(deployable, folder, "featureX").returncode == 0
    (archive,) = (folder / ".chalice" / "deployments").glob("*.zip")
    names = {name.split("/")[0] for name in zipfile.ZipFile(io.BytesIO(archive.read_bytes())).namelist()}
    assert names == {"app.py", "chalice", "chalicelib"}
