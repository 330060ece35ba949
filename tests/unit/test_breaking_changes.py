"""openapi.yaml breaks no client of the last release, unless its version says so; and each rule of that comparison.

No Python package compares headers and bounds too.
"""

import copy
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests import PROJECT
from tests.support.contract import DOCUMENT, resolve

Json = dict[str, Any]


# Each bound, with 1 if a lower one is narrower.
_BOUNDS = {"maximum": 1, "maxLength": 1, "maxItems": 1, "minimum": -1, "minLength": -1, "minItems": -1}


def unannounced_changes(old: Json | None, new: Json) -> list[str]:
    """Return the breaking changes, unless the minor or major version rose or ``old`` is from before version 0.1."""
    if old is None or _version(old) < [0, 1] or _version(new) > _version(old):
        return []
    return breaking_changes(old, new)


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Return a line for each change that breaks a client of ``old``."""
    return [*_narrower("", _operations(old), _operations(new), in_request=False)]


def _version(document: Json) -> list[int]:
    """Return the major and minor version."""
    return [int(part) for part in document["info"]["version"].split(".")[:2]]


def _operations(document: Json) -> Json:
    """Return the API as one schema: a property for each route, in which the request and each status are properties."""
    routes = {}
    for path, item in resolve(document["paths"], document, schemas=True).items():
        for method, operation in item.items():
            if method != "parameters":
                parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                fields = {parameter["name"]: parameter for parameter in parameters}
                fields |= {"body": operation["requestBody"]} if "requestBody" in operation else {}
                required = [name for name, field in fields.items() if field.get("required")]
                request = {
                    "properties": {name: field.get("schema") or _contents(field) for name, field in fields.items()},
                    "required": [*required, "signature"] if operation.get("security") else required,
                }
                statuses = {status: _contents(response) for status, response in operation["responses"].items()}
                routes[f"{method.upper()} {path}"] = {"properties": {"request": request, **statuses}}
    return {"properties": routes}


def _contents(owner: Json) -> Json:
    """Return the headers and media types of a body or response as properties of a schema."""
    parts = owner.get("headers", {}) | owner.get("content", {})
    return {"properties": {name: part["schema"] for name, part in parts.items()}, "additionalProperties": False}


def _narrower(where: str, old: Json, new: Json, *, in_request: bool) -> Iterator[str]:
    """Yield where a schema accepts less in a request, or promises less in a response."""
    for keyword in ("type", "pattern", "format", "const"):
        if old.get(keyword) != new.get(keyword):
            yield f"{where}: {keyword}"
    if "enum" in new and not set(old.get("enum", [...])) <= set(new["enum"]):
        yield f"{where}: enum"
    for keyword, sign in _BOUNDS.items() if in_request else ():
        if keyword in new and (keyword not in old or sign * new[keyword] < sign * old[keyword]):
            yield f"{where}: {keyword}"
    required, was_required = set(new.get("required", [])), set(old.get("required", []))
    for name in sorted(required - was_required if in_request else was_required - required):
        yield f"{where} {name}: required"
    parts = _parts(new)
    for name, schema in _parts(old).items():
        if name in parts:
            yield from _narrower(f"{where} {name}", schema, parts[name], in_request=in_request or name == "request")
        elif not in_request or name.startswith("oneOf") or new.get("additionalProperties") is False:
            yield f"{where} {name}: removed"


def _parts(schema: Json) -> Json:
    listed = {
        f"{kind} {number}": part for kind in ("oneOf", "allOf") for number, part in enumerate(schema.get(kind, []))
    }
    return schema.get("properties", {}) | listed | ({"items": schema["items"]} if "items" in schema else {})


_REMOVED = object()
_BILLING, _SCHEMAS = "paths /billing post", "components schemas"
# A change of openapi.yaml, and the end of the lines that report it.
BREAKING = [
    ("paths /health get", _REMOVED, " GET /health: removed"),
    ("paths /billing options", _REMOVED, " OPTIONS /billing: removed"),
    ("paths /billing/quote get security", [{"sigv4": []}], " GET /billing/quote request signature: required"),
    (f"{_BILLING} responses 402", _REMOVED, " POST /billing 402: removed"),
    (f"{_BILLING} parameters 0 required", True, "request Idempotency-Key: required"),
    (f"{_BILLING} parameters 0 schema minLength", 1, "request Idempotency-Key: minLength"),
    (f"{_BILLING} requestBody content", {"text/plain": {"schema": {}}}, "request body application/json: removed"),
    (f"{_BILLING} responses 429 headers Retry-After", _REMOVED, "429 Retry-After: removed"),
    (f"{_BILLING} responses 429 content", {"text/plain": {"schema": {}}}, "application/problem+json: removed"),
    ("paths /billing/{payment_id} parameters 0 schema pattern", "^pi_$", " payment_id: pattern"),
    ("components headers Retry-After schema type", "string", "Retry-After: type"),
    (f"{_SCHEMAS} Purchase oneOf 2", _REMOVED, "oneOf 2: removed"),
    (f"{_SCHEMAS} PurchaseBySource properties source", _REMOVED, "source: removed"),
    (f"{_SCHEMAS} PurchaseBySource properties source const", "tok_visa", "source: const"),
    (f"{_SCHEMAS} StripeEvent required", ["id", "type", "created", "data", "account"], "account: required"),
    (f"{_SCHEMAS} Storage oneOf 0 maximum", 10, "storage oneOf 0: maximum"),
    (f"{_SCHEMAS} Storage oneOf 0 minimum", 2, "storage oneOf 0: minimum"),
    (f"{_SCHEMAS} Payment properties amount", _REMOVED, "amount: removed"),
    (f"{_SCHEMAS} Quote required", ["storage", "amount"], "200 application/json currency: required"),
    (f"{_SCHEMAS} Payment properties status enum", ["succeeded", "processing"], "status: enum"),
    (f"{_SCHEMAS} CardError properties code pattern", "^[a-z]+$", "402 application/problem+json code: pattern"),
    (f"{_SCHEMAS} Problem properties errors items properties field", _REMOVED, "errors items field: removed"),
]
COMPATIBLE = [
    ("paths /others", {"get": {"responses": {"200": {}}}}),
    (f"{_BILLING} responses 410", {}),
    (f"{_BILLING} responses 429 headers Age", {"schema": {"type": "integer"}}),
    (f"{_BILLING} parameters 0", _REMOVED),
    (f"{_BILLING} requestBody required", False),
    (f"{_SCHEMAS} PurchaseBySource required", ["storage"]),
    (f"{_SCHEMAS} Storage oneOf 0 maximum", 1_000_000),
    (f"{_SCHEMAS} Storage oneOf 0 minimum", 0),
    (f"{_SCHEMAS} Storage oneOf 2", {"type": "boolean"}),
    (f"{_SCHEMAS} StripeEvent properties type", _REMOVED),  # further members are allowed
    (f"{_SCHEMAS} Quote properties owner", {"type": "string"}),
    (f"{_SCHEMAS} Quote properties amount maximum", 9),
    (f"{_SCHEMAS} Currency enum", ["usd", "eur"]),
]


def _changed(where: str, value: Any) -> Json:
    document = copy.deepcopy(DOCUMENT)
    *parents, last = [int(part) if part in ("0", "1", "2") else part for part in where.split()]
    node: Any = document
    for part in parents:
        node = node[part]
    if value is _REMOVED:
        del node[last]
    elif last == 2:
        node.append(value)
    else:
        node[last] = value
    return document


@pytest.mark.parametrize(("where", "value", "reported"), BREAKING)
def test_a_breaking_change_is_found(where: str, value: Any, reported: str):
    changes = breaking_changes(DOCUMENT, _changed(where, value))
    assert changes
    assert [change for change in changes if not change.endswith(reported)] == []


@pytest.mark.parametrize(("where", "value"), COMPATIBLE)
def test_a_compatible_change_is_allowed(where: str, value: Any):
    assert breaking_changes(DOCUMENT, _changed(where, value)) == []


@pytest.mark.parametrize(
    ("was", "now", "is_found"),
    [
        ("1.2.3", "1.2.4", True),
        ("1.2.3", "1.1.9", True),
        ("1.2.3", "1.3.0", False),
        ("1.2.3", "2.0.0", False),
        ("0.1.0", "0.1.1", True),
        ("0.0.9", "0.0.9", False),
    ],
)
def test_a_higher_version_announces_a_breaking_change(was: str, now: str, is_found: bool):
    old = {**DOCUMENT, "info": {"version": was}}
    new = {**_changed("paths /health get", _REMOVED), "info": {"version": now}}
    assert bool(unannounced_changes(old, new)) is is_found
    assert unannounced_changes(None, new) == []


def test_the_file_breaks_no_client_of_the_last_release():
    """The last release is the last git tag. Without one, there is nothing to break."""
    tag = _git("describe", "--tags", "--abbrev=0").strip()
    released = yaml.safe_load(_git("show", f"{tag}:openapi.yaml")) if tag else None
    changes = unannounced_changes(released, DOCUMENT)
    remedy = "Undo these changes, or raise the version in chalicelib/__init__.py and openapi.yaml:"
    assert not changes, "\n".join([remedy, *changes])


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", PROJECT, *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
