"""openapi.yaml as data, and :func:`check`, which asserts that a response is one that it describes.

Every response that the tests receive from `chalice local` passes through :func:`check` (tests.support.Api.request).
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import yaml
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from tests import PROJECT

Json = dict[str, Any]
FILE = PROJECT / "openapi.yaml"
DOCUMENT: Json = yaml.load(FILE.read_text(), yaml.CSafeLoader)  # a tenth of the time of safe_load
COMPONENTS: Json = DOCUMENT["components"]
HEADERS: Json = COMPONENTS["headers"]
# Written by the HTTP server, API Gateway's or that of `chalice local`.
_SERVER_HEADERS = {"server", "date", "content-length", "content-type"}


def resolve(node: Any, document: Json = DOCUMENT, *, schemas: bool = False) -> Any:
    """Replace every `$ref`, those to schemas only if asked to."""
    if isinstance(node, list):
        return [resolve(item, document, schemas=schemas) for item in node]
    if not isinstance(node, dict):
        return node
    kind, _, name = str(node.get("$ref", "")).removeprefix("#/components/").partition("/")
    if name and (schemas or kind != "schemas"):
        return resolve(document["components"][kind][name], document, schemas=schemas)
    return {name: resolve(value, document, schemas=schemas) for name, value in node.items()}


PATHS: Json = resolve(DOCUMENT["paths"])
RESPONSES: Json = resolve(COMPONENTS["responses"])
CORS_HEADERS = set(RESPONSES["Preflight"]["headers"]) - {"Access-Control-Allow-Methods"}


def operations() -> Iterator[tuple[str, Json]]:
    """Yield each route, such as ``GET /health``, and its operation, without the preflights."""
    for path, item in PATHS.items():
        yield from ((f"{method.upper()} {path}", item[method]) for method in ("get", "post") if method in item)


def check(method: str, url: str, response: Any) -> None:
    """Assert that openapi.yaml describes a response: status, headers, media type and every member of the body.

    :param url: with or without a host and a query.
    :param response: with status_code, headers, text and json(), like a response of requests.
    """
    path = _described_path(urlsplit(url).path)
    operation = PATHS.get(path, {}).get(method.lower())
    if operation is None and method in ("HEAD", "OPTIONS"):
        assert response.status_code in (200, 404, 405)
        return
    about = f"{method} {url}: {response.status_code} {response.headers} {response.text[:500]}"
    if operation:
        described = operation["responses"].get(str(response.status_code))
    else:
        described = RESPONSES["MethodNotAllowed" if path else "PathNotFound"]
    assert described, f"openapi.yaml does not describe the status: {about}"
    if "content" not in described:
        assert not response.text, about
        _check_headers(set(described["headers"]), response, about)
        return
    media_type = response.headers["Content-Type"].partition(";")[0]
    assert media_type in described["content"], f"openapi.yaml does not describe the media type: {about}"
    schema, body = described["content"][media_type]["schema"], response.json()
    errors = [error.message for error in validator(schema).iter_errors(body)]
    assert not errors, f"openapi.yaml does not describe the body: {errors} {about}"
    if schema.get("$ref") == "#/components/schemas/GatewayMessage":
        return  # API Gateway's own headers
    is_problem = media_type == "application/problem+json"
    if is_problem:
        assert body["status"] == response.status_code, about
    sent = {name for name, header in described.get("headers", {}).items() if body.get("code") in header["examples"]}
    cors = CORS_HEADERS if is_problem or "options" in PATHS[path] else set()
    _check_headers({"Cache-Control", *sent, *cors}, response, about)


def _check_headers(described: set[str], response: Any, about: str) -> None:
    values = {name.lower(): value for name, value in response.headers.items()}
    assert values.keys() - _SERVER_HEADERS == {name.lower() for name in described}, f"headers: {about}"
    for name in described:
        schema = HEADERS[name]["schema"]
        value = values[name.lower()]
        assert validator(schema).is_valid(int(value) if schema.get("type") == "integer" else value), f"{name}: {about}"


def codes_of(response: Json) -> set[str]:
    """Return the problem codes of a described response; those of declined cards, which are Stripe's, as card_error."""
    schema = response.get("content", {}).get("application/problem+json", {}).get("schema")
    if schema is None:
        return set()
    code = COMPONENTS["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]["code"]
    return {code["const"]} if "const" in code else set(code.get("enum", ["card_error"]))


def example(route: str, status: int, name: str) -> Any:
    """Return the value of a response's example."""
    method, _, path = route.partition(" ")
    content = PATHS[path][method.lower()]["responses"][str(status)]["content"]
    (value,) = [kind["examples"][name]["value"] for kind in content.values() if name in kind["examples"]]
    return value


def without_values(body: Any, name: str = "") -> Any:
    """Mask what differs between an example and a response: ids and times."""
    if isinstance(body, dict):
        return {name: without_values(value, name) for name, value in body.items()}
    if isinstance(body, list):
        return [without_values(value) for value in body]
    if isinstance(body, str):
        return re.sub(r"arn:aws:\S+|pi_\w+|[0-9a-f]{8}-[0-9a-f-]{27}", "…", body)
    return 0 if name == "created" else body


@cache
def _closed_schemas() -> Json:
    """Return the schemas with unknown members forbidden, except where `additionalProperties` allows them."""

    def close(node: Any) -> Any:
        if isinstance(node, list):
            return [close(item) for item in node]
        if not isinstance(node, dict):
            return node
        closed = {name: close(value) for name, value in node.items()}
        if node.get("type") == "object" and "properties" in node:
            closed.setdefault("additionalProperties", False)
        return closed

    return {"schemas": close(COMPONENTS["schemas"])}


def validator(schema: Json) -> jsonschema_rs.Draft202012Validator:
    """Return a validator in which a body has no members that its schema does not describe."""
    return jsonschema_rs.Draft202012Validator({"components": _closed_schemas(), **schema}, validate_formats=True)


_ROUTES = Map([Rule(path.replace("{", "<").replace("}", ">"), endpoint=path) for path in PATHS]).bind("")


def _described_path(requested: str) -> str:
    """Return the path of openapi.yaml that a request's path matches, or an empty string."""
    try:
        return str(_ROUTES.match(requested.rstrip("/"))[0])
    except HTTPException:
        return ""
