"""Puts the description together from the app's routes."""

import json
from pathlib import Path
from typing import Any

from chalice.app import Chalice, CORSConfig, RouteEntry

from chalicelib import __version__
from chalicelib.payments import CHARGED
from chalicelib.problems import PROBLEMS
from devstack.openapi import prose, schemas

EXAMPLES = Path(__file__).with_name("examples.json")

_Json = dict[str, Any]


def document(app: Chalice) -> _Json:
    """Return the description.

    :param app: the app, imported.
    :raises KeyError: the app has a route, a problem or a field of which :mod:`devstack.openapi.prose` says nothing.
    """
    recorded = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    a_bug = [kept for all_kept in recorded.values() for kept in all_kept if kept["name"] == "internal_error"]
    answers = schemas.answers()
    paths: _Json = {}
    schemes: _Json = {}
    for path, routes in app.routes.items():
        if any(route.view_name.startswith("not_found_") for route in routes.values()):
            continue  # the addresses that are none
        item = paths.setdefault(path, {})
        arguments = [_text("path", argument) for argument in next(iter(routes.values())).view_args]
        if arguments:
            item["parameters"] = arguments
        for method, route in routes.items():
            name = f"{method} {path}"
            examples = [kept for kept in recorded[name] if kept not in a_bug] + a_bug  # the same on every route
            item[method.lower()] = _operation(name, route, answers[name], examples)
            if route.authorizer:
                schemes[route.authorizer.name] = {**route.authorizer.to_swagger(), "description": prose.SIGV4}
        cors = next((route.cors for route in routes.values() if route.cors), None)
        if cors:
            item["options"] = _preflight(next(iter(routes.values())).view_name, [*routes, "OPTIONS"], cors)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": app.app_name,
            "version": __version__,
            "description": prose.API,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": prose.SERVERS,
        "tags": [{"name": name, "description": text} for name, text in prose.TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components(list(dict.fromkeys(answers.values()))),
            "headers": {name: _header(name) for name in prose.HEADERS},
            "securitySchemes": schemes,
        },
    }


def _operation(name: str, route: RouteEntry, answer: type, recorded: list[_Json]) -> _Json:
    said = prose.OPERATIONS[name]
    parameters = _parameters(name)
    operation: _Json = {
        "operationId": route.view_name,
        "tags": [said.tag],
        "summary": said.summary,
        "description": said.description,
        "security": [{route.authorizer.name: route.authorizer.scopes}] if route.authorizer else [],
        **({"parameters": parameters} if parameters else {}),
    }
    if route.method == "POST":
        schema = {"$ref": f"#/components/schemas/{'Purchase' if name == 'POST /billing' else 'StripeEvent'}"}
        asked = {kept["name"]: kept for kept in recorded if "request" in kept and kept["status"] in (200, 402)}
        examples = _examples(asked, "request")
        content = {kind: {"schema": schema, "examples": examples} for kind in route.content_types}
        operation["requestBody"] = {"required": True, "content": content}
    responses = {"200": _success(name, answer, recorded)}
    kinds = [*said.problems, *prose.OF_ALL]
    for status in sorted({PROBLEMS[kind][0] for kind in kinds}):
        of_status = [kind for kind in kinds if PROBLEMS[kind][0] == status]
        responses[str(status)] = _failure(name, status, of_status, recorded)
    operation["responses"] = responses
    return operation


def _parameters(name: str) -> list[_Json]:
    if name == "POST /billing":
        return [_text("header", "Idempotency-Key", required=False)]
    if name == "POST /stripe/webhook":
        return [_text("header", "Stripe-Signature")]
    if name == "GET /billing/quote":
        return [{**_text("query", "storage"), "schema": schemas.storage_in_query()}]
    return []


def _text(place: str, name: str, required: bool = True) -> _Json:
    description, pattern = prose.PARAMETERS[name]
    schema: _Json = {"type": "string", **({"pattern": f"^{pattern}$"} if pattern else {})}
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


def _success(name: str, answer: type, recorded: list[_Json]) -> _Json:
    schema: _Json = {"$ref": f"#/components/schemas/{answer.__name__}"}
    links: _Json = {}
    if name == "POST /billing":
        links = {"payment": {"operationId": "payment", "parameters": {"payment_id": "$response.body#/id"}}}
        narrowed = {"type": "object", "properties": {"status": {"enum": [*CHARGED]}}}
        schema = {"allOf": [schema, narrowed]}
    examples = _examples({kept["name"]: kept for kept in recorded if kept["status"] == 200}, "body")
    return {
        "description": prose.OPERATIONS[name].success,
        "content": {"application/json": {"schema": schema, "examples": examples}},
        **({"links": links} if links else {}),
    }


def _failure(name: str, status: int, kinds: list[str], recorded: list[_Json]) -> _Json:
    of_status = [kept for kept in recorded if kept["status"] == status]
    problems = {kept["name"]: kept for kept in of_status if "code" in kept["body"]}
    refusals = {kept["name"]: kept for kept in of_status if "code" not in kept["body"]}
    content: _Json = {
        "application/problem+json": {"schema": schemas.of_problems(kinds), "examples": _examples(problems, "body")}
    }
    if status == 403:  # API Gateway's own, before the app is asked
        own = {"schema": {"$ref": "#/components/schemas/GatewayMessage"}, "examples": _examples(refusals, "body")}
        content["application/json"] = own
    headers = {}
    for header, of_kinds in (("Retry-After", prose.RETRY_AFTER), ("Idempotency-Key", prose.REPEATABLE)):
        if of_kinds & {*kinds} and (header == "Retry-After" or name == "POST /billing"):
            headers[header] = {"$ref": f"#/components/headers/{header}"}
    described = " ".join(
        f"`{'card_declined' if kind == 'card_error' else kind}`: {prose.PROBLEMS[kind]}" for kind in kinds
    )
    return {"description": described, **({"headers": headers} if headers else {}), "content": content}


def _examples(recorded: dict[str, _Json], member: str) -> _Json:
    return {name: {"summary": kept["summary"], "value": kept[member]} for name, kept in recorded.items()}


def _header(name: str) -> _Json:
    schema: _Json = {"type": "integer", "minimum": 1} if name == "Retry-After" else {"type": "string"}
    return {"description": prose.HEADERS[name], "schema": schema}


def _preflight(view: str, methods: list[str], cors: CORSConfig) -> _Json:
    allowed = {"Access-Control-Allow-Methods": ",".join(methods), **cors.get_access_control_headers()}
    headers = {name: {"schema": {"type": "string", "examples": [str(value)]}} for name, value in allowed.items()}
    return {
        "operationId": f"preflight_{view}",
        "tags": ["preflight"],
        "summary": "Ask whether another origin may call",
        "security": [],
        "responses": {"200": {"description": "By the stage's `CORS_ORIGIN`.", "headers": headers}},
    }
