"""A page of another origin, in a real Chromium on a real `make run`: it reads nothing and changes nothing."""

import base64
import functools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
import requests
from playwright.sync_api import Browser, Page

from tests.browser.conftest import FRONT_END
from tests.support.chromium import needs_chromium
from tests.support.make_run import Run
from tests.support.stack import PURCHASE, TEST_PARAMETER

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), needs_chromium]

REBOUND = "attacker.example"  # resolves to 127.0.0.1: tests/support/chromium.py
ATTACKERS = ["http://127.0.0.1:3001", "http://localhost:3001", "http://attacker.localhost", f"https://{REBOUND}"]
# Returns the status and text of each response that the page may read.
SEND_ALL = """async (attacks) => {
  const read = [];
  for (const [url, headers, body] of attacks) {
    for (const mode of ["cors", "no-cors"]) {
      const options = body ? { method: "POST", headers, body, mode } : { mode };
      const response = await fetch(url, options).catch(() => null);
      if (response && response.type !== "opaque") read.push([response.status, await response.text()]);
    }
  }
  return read;
}"""


def attacks(run: Run) -> list[tuple[str, dict[str, str], str, int]]:
    """Requests that return the key or have an effect: address, headers, body, and the status that a program gets."""
    aws, stripe, console, api = (run.url(f"{part}_PORT") for part in ("AWS", "STRIPE", "CONSOLE", "API"))
    plain, as_json = {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}
    role = {"Action": "CreateRole", "RoleName": "r", "AssumeRolePolicyDocument": "{}", "Version": "2010-05-08"}
    code = {"ZipFile": base64.b64encode(b"PK\5\6" + bytes(18)).decode()}
    function = {"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Handler": "app.app", "Code": code}
    function["Runtime"] = "python3.12"

    def signed(service: str, content_type: str, **headers: str) -> dict[str, str]:
        scope = f"AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request"
        return {"Authorization": scope, "Content-Type": content_type, **headers}

    get_parameter = signed("ssm", "application/x-amz-json-1.1", **{"X-Amz-Target": "AmazonSSM.GetParameter"})
    return [
        (aws, get_parameter, json.dumps({"Name": TEST_PARAMETER, "WithDecryption": True}), 200),
        (aws, signed("iam", "application/x-www-form-urlencoded"), urlencode(role), 200),
        (f"{aws}/2015-03-31/functions", signed("lambda", "application/json"), json.dumps(function), 201),
        (f"{aws}/moto-api/reset", plain, "{}", 403),
        (f"{stripe}/_devstack/keys", plain, '{"mode": "test"}', 200),
        (f"{console}/switches", as_json, '{"name": "stripe_declining", "on": true}', 200),
        (f"{console}/rotate-key", plain, "{}", 415),
        (f"{console}/clear-faults", as_json, "{}", 200),
        (f"{console}/events", {}, "", 200),
        (f"{api}/billing", as_json, json.dumps(PURCHASE), 200),
        (f"{api}/billing", plain, json.dumps(PURCHASE), 415),
        (f"{stripe}/_devstack/faults", plain, '{"count": 1, "status": 402}', 200),
    ]


def state(run: Run) -> dict[str, Any]:
    """What the attacks would change."""
    key = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client = functools.partial(boto3.client, region_name="us-east-1", endpoint_url=run.url("AWS_PORT"), **key)
    return {
        "key": client("ssm").get_parameter(Name=TEST_PARAMETER, WithDecryption=True)["Parameter"],
        "functions": client("lambda").list_functions()["Functions"],
        "stripe": requests.get(run.url("STRIPE_PORT") + "/_devstack/state", timeout=10).json()["payment_intents"],
        "switches": requests.get(run.url("CONSOLE_PORT") + "/switches", timeout=10).json(),
    }


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page whose own server responds inside the browser. The browser lets it send to loopback."""
    with chromium.new_context(permissions=["local-network-access"]) as context:
        for origin in (*ATTACKERS, FRONT_END):
            context.route(f"{origin}/page", lambda route: route.fulfill(body="<p>", content_type="text/html"))
        yield context.new_page()


@pytest.mark.parametrize("origin", ATTACKERS)
def test_a_page_of_another_origin_reads_and_changes_nothing(run: Run, page: Page, origin):
    before = state(run)
    page.goto(f"{origin}/page")
    assert page.evaluate(SEND_ALL, attacks(run)) == []
    # A form needs no permission of the server, and replaces the page.
    page.set_content(
        f"<form method=post enctype=text/plain action='{run.url('STRIPE_PORT')}/_devstack/faults'>"
        """<input name='{"count": 9, "status": 402, "body": "' value='"}'></form>"""
    )
    with page.expect_navigation():
        page.evaluate("document.forms[0].submit()")
    assert state(run) == before
    assert requests.post(run.url("API_PORT") + "/billing", json=PURCHASE, timeout=30).status_code == 200


@pytest.mark.parametrize("part", ["API_PORT", "CONSOLE_PORT", "AWS_PORT", "STRIPE_PORT"])
def test_a_host_name_that_resolves_to_loopback_reads_and_changes_nothing(run: Run, page: Page, part):
    before = state(run)
    assert getattr(page.goto(f"http://{REBOUND}:{run.ports[part]}/"), "status", None) == 403
    own = [attack for attack in attacks(run) if attack[0].startswith(run.url(part))]
    own = [(url.replace("127.0.0.1", REBOUND), *rest) for url, *rest in own]
    read = page.evaluate(SEND_ALL, own)
    assert len(read) >= len(own) > 0  # all are of the page's own origin, so it reads each response
    assert {status for status, _ in read} == {403}
    assert state(run) == before


def test_the_attacks_are_requests_that_a_program_may_send(run: Run):
    for url, headers, body, status in attacks(run):
        response = requests.request("POST" if body else "GET", url, headers=headers, data=body, timeout=30)
        assert response.status_code == status, (url, response.text)
    requests.post(run.url("CONSOLE_PORT") + "/clear-faults", json={}, timeout=30).raise_for_status()


def test_the_page_of_an_allowed_origin_charges(run: Run, page: Page):
    page.goto(f"{FRONT_END}/page")
    read = page.evaluate(SEND_ALL, attacks(run))
    assert [(status, json.loads(text)["status"]) for status, text in read] == [(200, "succeeded"), (415, 415)]
