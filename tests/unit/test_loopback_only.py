"""The check of Host and Origin: which requests to a port of this machine are accepted."""

import json
from typing import Any

import pytest

from devstack.loopback_only import LoopbackOnly

FRONT_END = "http://localhost:3000"
API = LoopbackOnly(8000, origins=("http://127.0.0.1:8001", "http://localhost:8001", FRONT_END))
HOST = "127.0.0.1:8000"


@pytest.mark.parametrize(
    ("host", "is_accepted"),
    [
        (HOST, True),
        ("localhost:8000", True),
        ("LocalHost:8000", True),
        (None, False),
        ("", False),
        ("127.0.0.1", False),
        ("127.0.0.1:8001", False),
        ("evil.example:8000", False),
        ("127.0.0.1:8000.evil.example", False),
        ("evil.example:8000,127.0.0.1:8000", False),
        ("localhost.evil.example:8000", False),
        ("x@127.0.0.1:8000", False),
        ("0.0.0.0:8000", False),
        ("[::1]:8000", False),
    ],
)
def test_only_loopback_is_a_host(host, is_accepted):
    rejection = API.check({} if host is None else {"host": host})
    assert (rejection is None) == is_accepted
    if rejection:
        assert (rejection.code, rejection.allowed) == ("host_not_allowed", [HOST, "localhost:8000"])


@pytest.mark.parametrize(
    ("origin", "site", "is_accepted"),
    [
        (None, None, True),  # a program
        (None, "none", True),  # an address that a person typed
        (None, "same-origin", True),
        (None, "same-site", False),  # a page on another port
        (None, "cross-site", False),
        (None, "", False),
        ("http://127.0.0.1:8000", None, True),
        ("http://localhost:8000", "same-origin", True),
        ("http://localhost:8001", "cross-site", True),
        (FRONT_END, "cross-site", True),
        ("http://localhost:3001", "same-site", False),
        ("http://localhost", None, False),
        ("https://localhost:3000", None, False),
        ("http://localhost:3000.evil.example", None, False),
        ("http://evil.example", "none", False),
        ("http://evil.example:8000", "same-origin", False),
        ("null", None, False),
        ("*", None, False),
        ("", None, False),
    ],
)
def test_only_the_allowed_origins_pages_may_call(origin, site, is_accepted):
    sent = {"host": HOST, "origin": origin, "sec-fetch-site": site}
    rejection = API.check({name: value for name, value in sent.items() if value is not None})
    assert (rejection is None) == is_accepted
    if rejection:
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
