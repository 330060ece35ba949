"""openapi.yaml breaks no client of the last release, unless the version says so; and each rule of that comparison."""

import copy
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.breaking_changes import breaking_changes, unannounced_changes
from tests.support.contract import DOCUMENT
from tests.support.stack import PROJECT

Json = dict[str, Any]

OLD: Json = {
    "info": {"version": "1.2.3"},
    "paths": {
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"pattern": "^a+$"}}],
            "put": {
                "parameters": [{"name": "X-Count", "in": "header", "schema": {"minimum": 1, "maximum": 9}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {"200": {"$ref": "#/components/responses/Done"}, "404": {}},
            },
            "get": {"responses": {"200": {}}},
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "additionalProperties": False,
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1, "maximum": 9},
                    "color": {"type": "string", "enum": ["red", "blue"], "maxLength": 9},
                    "shape": {"oneOf": [{"type": "string", "pattern": "^o$"}, {"type": "integer", "maximum": 9}]},
                },
            },
            "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "state": {}}},
            "Result": {
                "allOf": [{"$ref": "#/components/schemas/Base"}],
                "properties": {
                    "state": {"enum": ["new", "done"]},
                    "parts": {"type": "array", "items": {"properties": {"name": {}}}},
                },
            },
        },
        "responses": {
            "Done": {
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Result"}}},
            }
        },
    },
}
PUT, BODY, DONE = "PUT /things/{id}", "PUT /things/{id} body application/json", "PUT /things/{id} 200"
RESULT = f"{DONE} application/json"
_REMOVED = object()

BREAKING = [
    ("paths /things/{id}", _REMOVED, ["GET /things/{id}: removed", f"{PUT}: removed"]),
    ("paths /things/{id} get", _REMOVED, ["GET /things/{id}: removed"]),
    ("paths /things/{id} get security", [{"sigv4": []}], ["GET /things/{id}: requires a signature"]),
    ("paths /things/{id} put responses 404", _REMOVED, [f"{PUT} 404: removed"]),
    ("paths /things/{id} put parameters 0 required", True, [f"{PUT} X-Count: is now required"]),
    ("paths /things/{id} put parameters 0 schema minimum", 2, [f"{PUT} X-Count: minimum is narrower"]),
    ("paths /things/{id} put requestBody required", True, [f"{PUT} body: is now required"]),
    ("paths /things/{id} put requestBody content", {"text/plain": {"schema": {}}}, [f"{BODY}: removed"]),
    ("components schemas Thing required", ["size", "color"], [f"{BODY} color: is now required"]),
    ("components schemas Thing properties color", _REMOVED, [f"{BODY} color: removed"]),
    ("components schemas Thing properties color enum", ["red"], [f"{BODY} color: has fewer values"]),
    ("components schemas Thing properties color const", "red", [f"{BODY} color: has fewer values"]),
    ("components schemas Thing properties color maxLength", 8, [f"{BODY} color: maxLength is narrower"]),
    ("components schemas Thing properties color minLength", 1, [f"{BODY} color: minLength is narrower"]),
    ("components schemas Thing properties size maximum", 8, [f"{BODY} size: maximum is narrower"]),
    ("components schemas Thing properties size minimum", 2, [f"{BODY} size: minimum is narrower"]),
    ("components schemas Thing properties size type", "number", [f"{BODY} size: has another type, pattern or format"]),
    ("components schemas Thing properties size pattern", "^1", [f"{BODY} size: has another type, pattern or format"]),
    ("components schemas Thing properties shape oneOf 1", _REMOVED,
     [f"{BODY} shape: alternative 2 is removed or narrower"]),
    ("components schemas Thing properties shape oneOf 1 maximum", 8,
     [f"{BODY} shape: alternative 2 is removed or narrower"]),
    ("components responses Done headers ETag", _REMOVED, [f"{DONE} ETag: removed"]),
    ("components responses Done content", {"text/plain": {"schema": {}}}, [f"{RESULT}: removed"]),
    ("components schemas Base properties id", _REMOVED, [f"{RESULT} id: removed"]),
    ("components schemas Base required", [], [f"{RESULT} id: is no longer required"]),
    ("components schemas Result properties state enum", ["new"], [f"{RESULT} state: has fewer values"]),
    ("components schemas Result properties parts items properties name", _REMOVED,
     [f"{RESULT} parts items name: removed"]),
]  # fmt: skip

COMPATIBLE = [
    ("paths /others", {"get": {"responses": {"200": {}}}}),
    ("paths /things/{id} post", {"responses": {"200": {}}}),
    ("paths /things/{id} put responses 409", {}),
    ("paths /things/{id} put parameters 0", _REMOVED),
    ("paths /things/{id} put parameters 0 schema maximum", 10),
    ("components schemas Thing properties weight", {"type": "integer"}),
    ("components schemas Thing properties color enum", ["red", "blue", "green"]),
    ("components schemas Thing properties size minimum", 0),
    ("components schemas Thing required", []),
    ("components schemas Thing properties shape oneOf",
     [{"type": "boolean"}, {"type": "integer", "maximum": 99}, {"type": "string", "pattern": "^o$"}]),
    ("components schemas Result properties owner", {"type": "string"}),
    ("components schemas Result required", ["state"]),
    ("components schemas Base properties id maxLength", 9),
    ("components responses Done headers Age", {"schema": {"type": "integer"}}),
    ("components schemas Base description", "A thing."),
]  # fmt: skip


def _changed(where: str, value: Any) -> Json:
    document = copy.deepcopy(OLD)
    *parents, last = [int(part) if part.isdigit() and len(part) == 1 else part for part in where.split()]
    node: Any = document
    for part in parents:
        node = node[part]
    if value is _REMOVED:
        del node[last]
    else:
        node[last] = value
    return document


@pytest.mark.parametrize(("where", "value", "expected"), BREAKING)
def test_a_breaking_change_is_found(where: str, value: Any, expected: list[str]):
    assert sorted(breaking_changes(OLD, _changed(where, value))) == sorted(expected)


@pytest.mark.parametrize(("where", "value"), COMPATIBLE)
def test_a_compatible_change_is_allowed(where: str, value: Any):
    assert breaking_changes(OLD, _changed(where, value)) == []


@pytest.mark.parametrize(
    ("was", "now", "is_found"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.2.3", "1.2.4", True),
        ("1.2.3", "1.3.0", False),
        ("1.2.3", "2.0.0", False),
        ("0.1.0", "0.1.1", True),
        ("0.0.9", "0.0.9", False),
    ],
)
def test_a_higher_version_announces_a_breaking_change(was: str, now: str, is_found: bool):
    old = {**OLD, "info": {"version": was}}
    new = {**_changed("paths /things/{id} get", _REMOVED), "info": {"version": now}}
    assert bool(unannounced_changes(old, new)) is is_found


def test_before_the_first_release_nothing_is_breaking():
    assert unannounced_changes(None, OLD) == []


def test_the_file_breaks_no_client_of_the_last_release():
    changes = unannounced_changes(_released(), DOCUMENT)
    remedy = "Undo these changes, or raise the version in chalicelib/__init__.py and openapi.yaml:"
    assert not changes, "\n".join([remedy, *changes])


def _released() -> Json | None:
    """Return openapi.yaml at the last git tag, or None if there is no tag, or no such file at the tag."""
    tag = _git("describe", "--tags", "--abbrev=0").strip()
    text = tag and _git("show", f"{tag}:openapi.yaml")
    return yaml.safe_load(text) if text else None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", PROJECT, *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def test_the_file_is_compatible_with_itself():
    assert breaking_changes(DOCUMENT, DOCUMENT) == []
