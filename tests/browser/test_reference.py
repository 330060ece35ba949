"""The reference page: openapi.yaml in Swagger UI, without internet, at the devstack's console."""

from collections.abc import Iterator

import pytest
import requests
import yaml
from playwright.sync_api import Browser

from devstack import reference
from devstack.child_process import PROJECT
from devstack.console.fault_switches import Switches
from devstack.console.server import Console
from devstack.event_log import EventLog
from tests.support.chromium import needs_chromium, page
from tests.support.stack import TEST_PARAMETER, Api, Stack


@pytest.fixture
def console(api: Api, stack: Stack) -> Iterator[Console]:
    switches = Switches(stack.aws, stack.stripe, stack.key, TEST_PARAMETER, lambda: None)
    server = Console(EventLog(show=lambda _: None), stack.stripe, switches, api.url).start()
    yield server
    server.stop()


def test_the_page_and_all_that_it_loads_is_there():
    kind, content = reference.answer("/api/") or ("", b"")
    assert kind == "text/html; charset=utf-8"
    loaded = [part.partition(b'"')[0].decode() for part in content.replace(b'src="', b'href="').split(b'href="')[1:]]
    assert len(loaded) == 4
    for name in loaded:
        assert reference.answer(f"/api/{name}"), name
    assert b"<script>" not in content  # a content security policy may forbid inline scripts


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/swagger-ui.js", "/api/../openapi.yaml", "/api//etc/passwd", "/openapi.json", "/events"]
)
def test_there_is_nothing_else(path: str):
    assert reference.answer(path) is None


def test_the_description_is_served_with_the_apis_address(console: Console, api: Api):
    served = requests.get(f"{console.url}/openapi.yaml", timeout=5)
    assert served.headers["Content-Type"] == "application/yaml"
    description = yaml.safe_load((PROJECT / "openapi.yaml").read_text())
    description["servers"][0]["url"] = api.url
    assert yaml.safe_load(served.content) == description
    assert reference.answer("/openapi.yaml") == ("application/yaml", (PROJECT / "openapi.yaml").read_bytes())


@needs_chromium
def test_a_purchase_is_tried_out_from_the_page(console: Console, chromium: Browser):
    with page(chromium) as reference_page:
        asked: list[str] = []
        reference_page.on("request", lambda request: asked.append(request.url))
        reference_page.goto(f"{console.url}/api/")
        reference_page.locator("#operations-payments-charge .opblock-summary-control").click()
        charge = reference_page.locator("#operations-payments-charge")
        charge.get_by_role("button", name="Execute").click()
        answer = charge.locator(".live-responses-table .response").first
        answer.wait_for()
        assert answer.locator(".response-col_status").inner_text().startswith("200")
        assert '"status": "succeeded"' in answer.locator(".response-col_description").inner_text()
        assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:"))] == []
