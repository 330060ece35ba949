"""The check of Host and Origin: which requests to a port of this machine are accepted."""

import json
from itertools import product
from typing import Any

import pytest

from devstack.loopback_only import LoopbackOnly, Rejection

FRONT_END = "http://localhost:3000"
API = LoopbackOnly(8000, origins=("http://127.0.0.1:8001", "http://localhost:8001", FRONT_END))
HOST = "127.0.0.1:8000"


def check(host: str | None = HOST, origin: str | None = None, site: str | None = None) -> Rejection | None:
    sent = {"host": host, "origin": origin, "sec-fetch-site": site}
    return API.check({name: value for name, value in sent.items() if value is not None})


@pytest.mark.parametrize("host", [HOST, "localhost:8000", "LocalHost:8000"])
@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (None, None),  # a program
        (None, "none"),  # an address that a person typed
        (None, "same-origin"),
        ("http://127.0.0.1:8000", None),
        ("http://localhost:8000", "same-origin"),
        ("http://localhost:8001", "cross-site"),
        (FRONT_END, "cross-site"),
    ],
)
def test_programs_own_pages_and_the_allowed_origins_may_call(host, origin, site):
    assert check(host, origin, site) is None


_HOSTS = ["127.0.0.1", "127.0.0.1:8001", "0.0.0.0:8000", "[::1]:8000", "x@127.0.0.1:8000", "evil.example:8000"]
_HOSTS += [f"{HOST}.evil.example", f"evil.example:8000,{HOST}", "localhost.evil.example:8000"]


@pytest.mark.parametrize("host", [None, "", *_HOSTS])
def test_only_loopback_is_a_host(host):
    rejection = check(host)
    assert rejection
    assert (rejection.code, rejection.allowed) == ("host_not_allowed", [HOST, "localhost:8000"])


_ORIGINS = ["http://localhost:3001", "http://localhost", "https://localhost:3000", f"{FRONT_END}.evil.example"]
_ORIGINS += ["http://evil.example", "http://evil.example:8000", "null", "*", ""]


@pytest.mark.parametrize(
    ("origin", "site"),
    [*product(_ORIGINS, (None, "none", "same-origin")), *product([None], ("same-site", "cross-site", ""))],
)
def test_only_the_allowed_origins_pages_may_call(origin, site):
    rejection = check(HOST, origin, site)
    assert rejection
    assert rejection.code == "origin_not_allowed"
    assert rejection.allowed[-3:] == list(API.origins)
    assert f"CORS_ORIGIN={FRONT_END} make run" in rejection.detail


def test_on_port_80_a_browser_sends_no_port():
    assert LoopbackOnly(80).check({"host": "localhost", "origin": "http://127.0.0.1"}) is None
    assert LoopbackOnly(8080).check({"host": "localhost"}) is not None


def test_other_hosts_and_all_origins_are_accepted_only_if_they_are_arguments():
    behind_proxy = LoopbackOnly(8000, hosts=("api.stripe.com",))
    assert behind_proxy.check({"host": "api.stripe.com"}) is None
    assert behind_proxy.check({"host": "api.stripe.com", "origin": "http://api.stripe.com"}) is not None
    to_all = LoopbackOnly(8000, origins=("*",))
    assert to_all.check({"host": HOST, "origin": "http://evil.example", "sec-fetch-site": "cross-site"}) is None
    assert to_all.check({"host": "evil.example:8000"}) is not None


@pytest.mark.parametrize(
    "refused", [{"HTTP_HOST": "evil.example"}, {"HTTP_ORIGIN": "null"}, {"HTTP_SEC_FETCH_SITE": "x"}]
)
def test_an_application_gets_only_the_accepted_requests(refused):
    started: list[Any] = []
    received: list[Any] = []
    application = API.wrap(lambda environ, _start: received.append(environ) or [b"accepted"])
    assert list(application({"HTTP_HOST": HOST}, lambda *start: started.append(start))) == [b"accepted"]
    (body,) = application({"HTTP_HOST": HOST, **refused}, lambda *start: started.append(start))
    problem = json.loads(body)
    assert (problem["status"], len(received)) == (403, 1)
    assert {"type", "title", "code", "detail", "allowed"} < set(problem)
    assert started == [
        ("403 Forbidden", [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))])
    ]
