"""`chalice deploy` on the emulated cloud: each stage's functions and roles, and the requests that they serve."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.loaders import Loader
from moto.awslambda.utils import get_backend

from tests.support.cloud import Cloud
from tests.support.cloud.deployments import Deployment, Deployments
from tests.support.cloud.policies import allows
from tests.support.contract import check, example, without_values
from tests.support.scenarios import REJECTED, SIGNED_PATHS, request_rejected
from tests.support.stack import PROJECT, eventually

# Each stage is deployed once, in the process that runs all tests of it.
STAGES = [pytest.param(stage, marks=pytest.mark.xdist_group(stage)) for stage in ("prod", "dev", "featureX")]


@pytest.fixture(params=STAGES)
def deployed(request: pytest.FixtureRequest, cloud: Cloud, _deployments: Deployments) -> Iterator[Deployment]:
    """A stage deployed into a separate account. .chalice/config.json does not declare featureX."""
    yield _deployments.of(request.param)
    cloud.functions.forget()


def test_a_deployed_function_gets_the_variables_of_its_stage(deployed: Deployment):
    for name, handler in (("api_handler", "app.app"), ("notify", "app.notify")):
        function = deployed.function(name)
        variables = function["Environment"]["Variables"]
        assert function["Handler"] == handler
        # An undeclared stage deploys with dev's configuration.
        assert variables["STAGE"] == variables["RESOURCES_STAGE"] == deployed.resources_stage
        assert "STRIPE_API_BASE" not in variables
        assert function["Timeout"] == 28
        assert function["TracingConfig"] == {"Mode": "Active"}
    assert deployed.function()["Role"] != deployed.function("notify")["Role"]


def test_a_deploy_writes_no_secret(deployed: Deployment):
    files = "".join(file.read_text(errors="replace") for file in deployed.folder.rglob("*") if file.is_file())
    variables = json.dumps([deployed.function(name)["Environment"] for name in ("api_handler", "notify")])
    assert deployed.key not in files + variables + deployed.output


def test_the_package_contains_only_the_app(deployed: Deployment):
    function = get_backend(deployed.account.id, "us-east-1").get_function(deployed.function()["FunctionName"])
    package = zipfile.ZipFile(io.BytesIO(function.code_bytes))
    names = {name for name in package.namelist() if not name.startswith("chalice/")}
    source = {
        file.relative_to(PROJECT).as_posix() for file in (PROJECT / "chalicelib").rglob("*.*") if file.suffix != ".pyc"
    }
    assert names == {"app.py", *source}
    assert package.read("app.py") == (PROJECT / "app.py").read_bytes()


def test_a_purchase_is_charged_announced_and_texted(deployed: Deployment, cloud: Cloud):
    with deployed.webhook():
        response = cloud.request("POST", f"{deployed.url}/billing", signed_by=deployed.account, json=deployed.purchase)
        assert response.status_code == 200, response.text
        payment = response.json()
        assert payment["status"] == "succeeded"
        assert eventually(lambda: any(payment["id"] in text for text in deployed.account.texts()))
    (payment_intent,) = [intent for intent in cloud.stack.stripe.payment_intents if intent["id"] == payment["id"]]
    assert payment_intent["livemode"] is (deployed.stage == "prod")
    topic = f"arn:aws:sns:us-east-1:{deployed.account.id}:NotePurchased-{deployed.resources_stage}"
    (message,) = [publish for publish in cloud.stack.published if publish.get("TopicArn") == topic]
    assert json.loads(message["Message"])["payment_id"] == payment["id"]
    retrieved = cloud.request("GET", f"{deployed.url}/billing/{payment['id']}", signed_by=deployed.account)
    assert retrieved.json() == payment


def test_a_request_without_a_valid_signature_charges_nothing(deployed: Deployment, cloud: Cloud):
    url, requests = f"{deployed.url}/billing", len(cloud.stack.stripe.requests)
    stranger = cloud.account()
    assert _forbidden(cloud.request("POST", url, json=deployed.purchase)) == "Missing Authentication Token"
    assert "not authorized" in _forbidden(cloud.request("POST", url, signed_by=stranger, json=deployed.purchase))
    for spoil in ({"data": b"{}"}, {"secret": "another"}, {"at": datetime.now(timezone.utc) - timedelta(hours=1)}):
        error = _forbidden(
            cloud.request("POST", url, signed_by=deployed.account, spoiled=spoil, json=deployed.purchase)
        )
        assert "signature" in error.lower()
    assert len(cloud.stack.stripe.requests) == requests


@pytest.mark.parametrize("route", SIGNED_PATHS)
@pytest.mark.parametrize("name", REJECTED)
def test_api_gateway_rejects_requests_as_openapi_yaml_describes(
    deployed: Deployment, cloud: Cloud, route: str, name: str
):
    response = request_rejected(cloud, deployed.url, route, name)
    check(*route.split(" "), response)
    assert without_values(response.json()) == without_values(example(route, 403, name))


def _forbidden(response: Any) -> str:
    assert response.status_code == 403
    body = response.json()
    return str(body.get("message") or body["Message"])


def test_price_and_health_are_public(deployed: Deployment, cloud: Cloud):
    health = cloud.request("GET", f"{deployed.url}/health")
    assert health.json()["stage"] == deployed.resources_stage
    assert cloud.request("GET", f"{deployed.url}/billing/quote?storage=11").json()["amount"] == 2200
    origin = "https://notes.example.com" if deployed.stage == "prod" else "*"
    preflight = cloud.request("OPTIONS", f"{deployed.url}/billing")
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (200, origin)
    assert cloud.request("GET", f"{deployed.url}/no/such/address").json()["code"] == "not_found"
    assert cloud.request("DELETE", f"{deployed.url}/billing").status_code == 403


# Resources by service. The test of the roles evaluates every action of these services on each of them.
ACCOUNT = "arn:aws:{}:us-east-1:123456789012:{}"
PARAMETERS = ["stripeSecretKey/test", "stripeSecretKey/live", "stripeWebhookSecret/dev", "stripeWebhookSecret/prod",
              "stripeWebhookSecret/featureX", "stripeSecretKey", "other"]  # fmt: skip
RESOURCES = {
    "ssm": [ACCOUNT.format("ssm", f"parameter/{name}") for name in PARAMETERS],
    "sns": ["+14151234567", *(ACCOUNT.format("sns", f"NotePurchased-{name}") for name in ("dev", "prod", "featureX"))],
    "logs": [
        ACCOUNT.format("logs", f"log-group:/aws/lambda/notes-billing-{function}:log-stream:x")
        for function in ("dev", "dev-notify", "prod", "prod-notify", "featureX", "featureX-notify")
    ]
    + [ACCOUNT.format("logs", "log-group:/aws/lambda/other:log-stream:x")],
    "xray": ["*"],
    "kms": [ACCOUNT.format("kms", "key/1"), "*"],
    "iam": ["arn:aws:iam::123456789012:role/notes-billing-prod-api_handler", "*"],
    "sts": ["arn:aws:iam::123456789012:role/notes-billing-prod-api_handler", "*"],
    "lambda": [ACCOUNT.format("lambda", "function:notes-billing-prod"), "*"],
    "cloudformation": [ACCOUNT.format("cloudformation", "stack/notes-billing/1"), "*"],
    "cloudwatch": ["*"],
    "secretsmanager": [ACCOUNT.format("secretsmanager", "secret:other"), "*"],
    "sqs": [ACCOUNT.format("sqs", "other")],
    "dynamodb": [ACCOUNT.format("dynamodb", "table/other")],
    "s3": ["arn:aws:s3:::other/object", "*"],
}  # fmt: skip
# Actions whose IAM name differs from the operation's.
MORE_ACTIONS = ["iam:PassRole", "lambda:InvokeFunction", "s3:ListBucket", "execute-api:Invoke"]


def permissions(role: str, stage: str) -> set[tuple[str, str]]:
    """Return all actions of a role, each with its resource."""
    tracing = {(f"xray:{action}", "*") for action in ("PutTraceSegments", "PutTelemetryRecords")}
    prod = stage == "prod"
    if role == "notify":
        functions = ["prod-notify"] if prod else ["dev-notify", "featureX-notify"]
        return tracing | _writing(functions) | {("sns:Publish", "+14151234567")}
    functions = ["prod"] if prod else ["dev", "dev-notify", "featureX", "featureX-notify"]
    secrets = ["stripeSecretKey/live", "stripeWebhookSecret/prod"]
    if not prod:
        secrets = ["stripeSecretKey/test", "stripeWebhookSecret/dev", "stripeWebhookSecret/featureX"]
    reading = {("ssm:GetParameter", ACCOUNT.format("ssm", f"parameter/{name}")) for name in secrets}
    topic = ACCOUNT.format("sns", f"NotePurchased-{'prod' if prod else 'dev'}")
    return tracing | _writing(functions) | reading | {("sns:Publish", topic)}


def _writing(functions: list[str]) -> set[tuple[str, str]]:
    logs = [ACCOUNT.format("logs", f"log-group:/aws/lambda/notes-billing-{name}:log-stream:x") for name in functions]
    return {(f"logs:{action}", log) for log in logs for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")}


@pytest.fixture(scope="session")
def actions() -> list[str]:
    """Return every action of the services above that boto3 knows, and a few more."""
    loader = Loader()
    models = {service: loader.load_service_model(service, "service-2") for service in RESOURCES}
    return [f"{service}:{name}" for service, model in models.items() for name in model["operations"]] + MORE_ACTIONS


@pytest.mark.parametrize("role", ["api_handler", "notify"])
def test_a_role_has_exactly_these_permissions(role: str, deployed: Deployment, actions: list[str]):
    policies = deployed.policies(role)
    granted = {
        (action, resource)
        for action in actions
        for resource in RESOURCES.get(action.partition(":")[0], ["*"])
        if allows(policies, action, resource)
    }
    assert granted == permissions(role, deployed.stage)
