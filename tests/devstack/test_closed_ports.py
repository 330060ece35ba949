"""What a web page in the developer's browser can't do at each port, and what the emulated AWS does for nobody."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from chalice.app import Chalice, CORSConfig
from chalice.config import Config as ChaliceConfig
from chalice.local import ChaliceRequestHandler, LocalDevServer
from moto.awslambda.models import LambdaFunction

from devstack.aws_emulator import SERVICES, AwsServer
from devstack.chalice_guard import guard
from tests.support.stack import PURCHASE, Api, Stack

CONSOLE, FRONT_END, ATTACKER = "http://127.0.0.1:8001", "http://localhost:3000", "http://localhost:3001"
FROM_A_PAGE = [{"Origin": ATTACKER}, {"Sec-Fetch-Site": "same-site"}, {"Host": "attacker.example:8000"}]


def is_rejected(response: requests.Response) -> bool:
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.json()["allowed"]
    return response.status_code == 403


@pytest.fixture
def charges() -> list[Any]:
    return []


@pytest.fixture
def url(charges: list[Any]) -> Iterator[str]:
    """The address of a small API in a guarded server of Chalice."""
    app = Chalice("app")
    cors = CORSConfig(allow_origin="*")
    app.route("/billing", methods=["POST"], cors=cors)(lambda: charges.append(PURCHASE) or {})
    handler = type("Handler", (ChaliceRequestHandler,), {"log_message": lambda *_: None})
    guard(handler, [CONSOLE, FRONT_END])
    server = LocalDevServer(app, ChaliceConfig(), "127.0.0.1", 0, handler).server
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/billing"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize("headers", FROM_A_PAGE)
def test_the_api_is_closed_to_pages(url: str, charges, method, headers, capsys):
    response = requests.request(method, url, json=PURCHASE, headers=headers, timeout=10)
    assert is_rejected(response)
    assert response.json()["code"] in capsys.readouterr().err  # the developer sees why
    assert charges == []


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize(("origin", "allowed"), [(FRONT_END, FRONT_END), (CONSOLE, CONSOLE), (None, CONSOLE)])
def test_the_api_allows_the_page_that_calls_and_else_the_console(url: str, charges, method, origin, allowed):
    response = requests.request(method, url, json=PURCHASE, headers={"Origin": origin}, timeout=10)
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, allowed)
    assert len(charges) == (method == "POST")


@pytest.mark.parametrize("headers", FROM_A_PAGE)
def test_the_emulators_are_closed_to_pages(stack: Stack, headers):
    sent = {"Content-Type": "text/plain", **headers}
    fault = stack.stripe.url + "/_devstack/faults"
    assert is_rejected(requests.post(fault, data='{"status": 500}', headers=sent, timeout=10))
    assert stack.stripe.faults.next("GET", "/v1/balance").status is None
    assert is_rejected(requests.options(fault, headers=headers, timeout=10))
    create = "Action=CreateTopic&Name=attacked"
    assert is_rejected(requests.post(stack.aws.url, data=create, headers=sent, timeout=10))
    assert (stack.aws.calls, stack.stripe.requests) == ([], [])


def test_the_shared_api_of_the_tests_checks_host_too(api: Api):
    assert is_rejected(requests.get(api.url + "/health", headers={"Host": "attacker.example"}, timeout=10))


def client(aws: AwsServer, service: str) -> Any:
    return aws.client(service, Config(retries={"max_attempts": 0}))


# One service for each protocol.
@pytest.mark.parametrize("call", ["s3.list_buckets", "dynamodb.list_tables", "ec2.describe_vpcs", "batch.list_jobs"])
def test_a_service_that_the_product_does_not_use_is_an_aws_error(stack: Stack, call: str):
    service, operation = call.split(".")
    with pytest.raises(ClientError) as error:
        getattr(client(stack.aws, service), operation)()
    assert error.value.response["Error"]["Code"] == "ServiceNotEmulated"
    assert service in error.value.response["Error"]["Message"]


def test_moto_s_own_addresses_are_not_served(stack: Stack):
    stack.aws.put_secret("/kept", "value")
    for path in ("/moto-api/", "/moto-api/reset", "/moto-api/seed?a=1", "/latest/meta-data/"):
        assert requests.post(stack.aws.url + path, timeout=10).status_code == 403
    assert client(stack.aws, "ssm").get_parameter(Name="/kept")["Parameter"]["Version"]
    assert {"s3", "moto_api", "instance_metadata", "batch"}.isdisjoint(SERVICES)


def test_a_function_never_runs_in_docker():
    payload, is_error, _ = LambdaFunction._invoke_lambda(None, event="{}")
    assert is_error
    assert "docker" not in payload
