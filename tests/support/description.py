"""openapi.json, and whether an answer is one that it describes: no other status, header, media type or member."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

from devstack.child_process import PROJECT

DOCUMENT: dict[str, Any] = json.loads((PROJECT / "openapi.json").read_text())
# Of these, members may be there that we say nothing about.
_OPEN = {"StripeEvent", "GatewayMessage"}


def check(method: str, url: str, response: Any) -> None:
    """Assert that an answer is described.

    :param url: with or without a host and a query.
    :param response: with status_code, headers, text and json(), as requests has it.
    """
    path = _path(urlsplit(url).path)
    operation = DOCUMENT["paths"].get(path or "", {}).get(method.lower())
    if operation is None and method in ("HEAD", "OPTIONS"):
        assert response.status_code in (200, 404, 405)
        return
    if operation is None:  # what is not described is answered by one of these two
        code = response.json()["code"]
        assert (response.status_code, code) == ((405, "method_not_allowed") if path else (404, "not_found"))
        _validator("components", "schemas", "Problem").validate(response.json())
        return
    told = f"{method} {path}: {response.status_code} {response.headers} {response.text[:500]}"
    described = operation["responses"].get(str(response.status_code))
    assert described, f"not described: {told}"
    for name, header in described.get("headers", {}).items():
        header = DOCUMENT["components"]["headers"][name] if "$ref" in header else header
        if header.get("required"):
            assert name in response.headers, f"no {name}: {told}"
    content = described.get("content", {})
    if not content:
        assert not response.text, told
        return
    media_type = response.headers["Content-Type"].partition(";")[0]
    assert media_type in content, f"not described: {told}"
    validator = _validator(
        "paths", str(path), method.lower(), "responses", str(response.status_code), "content", media_type, "schema"
    )
    assert validator.is_valid(response.json()), f"{[*validator.iter_errors(response.json())]}: {told}"
    if media_type == "application/problem+json":
        _check_headers(method, path, response)


def _check_headers(method: str, path: str | None, response: Any) -> None:
    """Assert that a problem has the headers that its kind has, and no others."""
    from devstack.openapi.prose import REPEATABLE, RETRY_AFTER

    code = response.json()["code"]
    assert ("Retry-After" in response.headers) == (code in RETRY_AFTER), response.text
    if (method, path) == ("POST", "/billing"):
        assert ("Idempotency-Key" in response.headers) == (code in REPEATABLE), response.text


def described() -> Iterator[tuple[str, int, str]]:
    """All that may be answered: route, status, and a problem's code (a card error's is ``card_error``)."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "post"):
                continue
            for status, response in operation["responses"].items():
                for schema in [content["schema"] for content in response["content"].values()]:
                    code = schema.get("allOf", [{}])[-1].get("properties", {}).get("code", {})
                    codes = code.get("enum", ["card_error"] if "pattern" in code else [""])
                    yield from ((f"{method.upper()} {path}", int(status), code) for code in codes)


def _path(given: str) -> str | None:
    """Return the path of the description that a request's is; a literal part goes before a parameter."""
    parts = given.rstrip("/").split("/")
    for path in sorted(DOCUMENT["paths"], key=lambda path: path.count("{")):
        own = path.split("/")
        if len(own) == len(parts) and all(a == b or a[:1] == "{" for a, b in zip(own, parts, strict=True)):
            return str(path)
    return None


@cache
def _strict() -> dict[str, Any]:
    strict = copy.deepcopy(DOCUMENT)
    for name, schema in strict["components"]["schemas"].items():
        if name not in _OPEN and "properties" in schema:
            schema["additionalProperties"] = False
    return strict


@cache
def _validator(*where: str) -> Any:
    schema = _strict()
    for part in where:
        schema = schema[part]
    return jsonschema_rs.Draft202012Validator({"components": _strict()["components"], **schema})
