"""`chalice deploy` on the emulated cloud: each stage's functions and roles, and the requests that they serve."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.cloud.deployments import Deployment, Deployments
from tests.support.contract import check, example, without_values
from tests.support.scenarios import REJECTED, SIGNED_PATHS, request_rejected
from tests.support.stack import PROJECT, eventually, is_problem, logs, transcript

# Each stage is deployed once, in the process that runs all tests of it. .chalice/config.json does not declare featureX.
STAGES = [
    pytest.param(stage, marks=[pytest.mark.xdist_group(stage), *([pytest.mark.slow] if stage != "dev" else [])])
    for stage in ("dev", "prod", "featureX")
]


@pytest.fixture(params=STAGES)
def deployed(request: pytest.FixtureRequest, cloud: Cloud, _deployments: Deployments) -> Deployment:
    """A stage deployed into a separate account."""
    return _deployments(request.param)


@pytest.fixture
def dev(cloud: Cloud, _deployments: Deployments) -> Deployment:
    return _deployments("dev")


def test_a_deployed_function_gets_the_settings_of_its_stage(deployed: Deployment):
    stage = deployed.resources_stage  # an undeclared stage is deployed with dev's configuration
    for name, handler, policy in (("api_handler", "app.app", stage), ("notify", "app.notify", f"{stage}-notify")):
        function = deployed.function(name)
        variables = function["Environment"]["Variables"]
        assert (function["Handler"], function["Timeout"]) == (handler, 28)
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert variables["STAGE"] == variables["RESOURCES_STAGE"] == stage
        assert "STRIPE_API_BASE" not in variables
        assert deployed.policies(name) == [json.loads((PROJECT / ".chalice" / f"policy-{policy}.json").read_text())]
    assert deployed.function()["Role"] != deployed.function("notify")["Role"]


def test_a_deploy_writes_no_secret(deployed: Deployment):
    files = "".join(file.read_text(errors="replace") for file in deployed.folder.rglob("*") if file.is_file())
    variables = json.dumps([deployed.function(name)["Environment"] for name in ("api_handler", "notify")])
    assert deployed.key not in files + variables + deployed.output


def test_a_purchase_is_charged_announced_and_texted(deployed: Deployment, cloud: Cloud):
    with deployed.webhook():
        response = cloud.request("POST", f"{deployed.url}/billing", signed_by=deployed.account, json=deployed.purchase)
        assert response.status_code == 200, response.text
        payment = response.json()
        assert payment["status"] == "succeeded"
        assert eventually(lambda: any(payment["id"] in text for text in cloud.stack.texts()))
    (payment_intent,) = [intent for intent in cloud.stack.stripe.payment_intents if intent["id"] == payment["id"]]
    assert payment_intent["livemode"] is (deployed.stage == "prod")
    topic = f"arn:aws:sns:us-east-1:{deployed.account.id}:NotePurchased-{deployed.resources_stage}"
    (message,) = [publish for publish in cloud.stack.published if publish.get("TopicArn") == topic]
    assert json.loads(message["Message"])["payment_id"] == payment["id"]
    retrieved = cloud.request("GET", f"{deployed.url}/billing/{payment['id']}", signed_by=deployed.account)
    assert retrieved.json() == payment


def test_price_health_and_preflights_are_public(deployed: Deployment, cloud: Cloud):
    health = cloud.request("GET", f"{deployed.url}/health")
    assert health.json()["stage"] == deployed.resources_stage
    assert cloud.request("GET", f"{deployed.url}/billing/quote?storage=11").json()["amount"] == 2200
    origin = "https://notes.example.com" if deployed.stage == "prod" else "*"
    preflight = cloud.request("OPTIONS", f"{deployed.url}/billing")
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (200, origin)
    assert cloud.request("GET", f"{deployed.url}/no/such/address").json()["code"] == "not_found"
    assert cloud.request("DELETE", f"{deployed.url}/billing").status_code == 403


@pytest.mark.xdist_group("dev")
@pytest.mark.parametrize(
    ("signed_by", "spoiled", "message"),
    [
        ("nobody", {}, "Missing Authentication Token"),
        ("another account", {}, "not authorized"),
        ("operator", {"secret": "another"}, "signature we calculated does not match"),
        ("operator", {"data": b"{}"}, "signature we calculated does not match"),
        ("operator", {"late": timedelta(minutes=-6)}, "Signature expired"),
        ("operator", {"late": timedelta(minutes=6)}, "Signature expired"),
        ("operator", {"service": "sns"}, "scoped to a valid region and correct service"),
        ("operator", {"key": "AKIAUNKNOWN"}, "security token included in the request is invalid"),
    ],
)
def test_a_forged_request_is_rejected_and_charges_nothing(
    dev: Deployment, cloud: Cloud, signed_by: str, spoiled: dict[str, Any], message: str
):
    accounts: dict[str, Any] = {"nobody": None, "another account": cloud.account(), "operator": dev.account}
    requests = len(cloud.stack.stripe.requests)
    response = cloud.request("POST", f"{dev.url}/billing", accounts[signed_by], spoiled, json=dev.purchase)
    assert response.status_code == 403
    assert message in response.text
    assert len(cloud.stack.stripe.requests) == requests


@pytest.mark.xdist_group("dev")
@pytest.mark.parametrize("route", SIGNED_PATHS)
@pytest.mark.parametrize("name", REJECTED)
def test_api_gateway_rejects_requests_as_openapi_yaml_describes(dev: Deployment, cloud: Cloud, route: str, name: str):
    response = request_rejected(cloud, dev.url, route, name)
    check(*route.split(" "), response)
    assert without_values(response.json()) == without_values(example(route, 403, name))


@pytest.mark.xdist_group("dev")
def test_a_function_whose_role_lost_a_statement_is_refused(dev: Deployment, cloud: Cloud):
    iam, role = dev.account.client("iam"), dev.function()["Role"].rpartition("/")[2]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    (own,) = dev.policies("api_handler")
    rest = [statement for statement in own["Statement"] if statement["Action"] != "ssm:GetParameter"]
    assert len(rest) < len(own["Statement"])
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**own, "Statement": rest}))
    cloud.functions.forget()
    try:
        response = cloud.request("POST", f"{dev.url}/billing", dev.account, json=dev.purchase)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(own))
    assert is_problem(response, 503, "stripe_key_unavailable")
    assert "AccessDenied" in logs[-1]
    assert cloud.stack.stripe.requests == []


@pytest.mark.xdist_group("dev")
def test_a_container_stays_warm_until_its_function_is_updated(dev: Deployment, cloud: Cloud):
    def cold_starts() -> int:
        before = len(transcript)  # which gets the environment of each container that starts
        assert cloud.request("GET", f"{dev.url}/health").status_code == 200
        return len(transcript) - before

    cold_starts()
    assert cold_starts() == 0
    function = dev.function()["FunctionName"]
    dev.account.client("lambda").update_function_configuration(FunctionName=function, Description="Rotated.")
    assert (cold_starts(), cold_starts()) == (1, 0)
