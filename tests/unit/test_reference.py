"""The files of the API's reference page, which need no internet."""

import pytest
import yaml

from devstack import reference
from tests import PROJECT


def test_the_page_and_all_that_it_loads_is_there():
    kind, content = reference.find("/api/") or ("", b"")
    assert kind == "text/html; charset=utf-8"
    loaded = [part.partition(b'"')[0].decode() for part in content.replace(b'src="', b'href="').split(b'href="')[1:]]
    assert len(loaded) == 4
    for name in loaded:
        assert reference.find(f"/api/{name}"), name
    assert b"<script>" not in content  # a content security policy may forbid inline scripts


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/swagger-ui.js", "/api/../openapi.yaml", "/api//etc/passwd", "/openapi.json", "/events"]
)
def test_there_is_nothing_else(path: str):
    assert reference.find(path) is None


def test_the_description_names_the_apis_address():
    kind, content = reference.find("/openapi.yaml", "http://127.0.0.1:18000") or ("", b"")
    description = yaml.load((PROJECT / "openapi.yaml").read_text(), yaml.CSafeLoader)
    description["servers"][0]["url"] = "http://127.0.0.1:18000"
    assert (kind, yaml.load(content, yaml.CSafeLoader)) == ("application/yaml", description)
    assert reference.find("/openapi.yaml") == ("application/yaml", (PROJECT / "openapi.yaml").read_bytes())
