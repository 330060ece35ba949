"""openapi.yaml and the app describe each other exactly: neither has a route, code, field, bound or header alone.

Beside these tests, every response that any test receives from `chalice local` is compared with the file: Api.request.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from chalicelib import __version__
from chalicelib.billing import payments, pricing, purchase_request
from chalicelib.config import load
from chalicelib.events import webhook
from chalicelib.events.purchase_event import ANNOUNCED
from chalicelib.problems import PROBLEMS
from tests.support.contract import (
    COMPONENTS,
    CORS_HEADERS,
    DOCUMENT,
    FILE,
    HEADERS,
    PATHS,
    RESPONSES,
    Json,
    check,
    codes_of,
    example,
    operations,
    validator,
    without_values,
)
from tests.support.scenarios import CASES, CHARGE, OTHERWISE, PURCHASES, REJECTED, SIGNED_PATHS, Case, Services
from tests.support.stack import PROJECT, Stack

_one_worker = pytest.mark.xdist_group("openapi")
SCHEMAS = COMPONENTS["schemas"]
# Each described response with its route; that of a path or method that is not described has none.
DESCRIBED: list[tuple[str, Json]] = [
    *((route, response) for route, operation in operations() for response in operation["responses"].values()),
    *(("", RESPONSES[name]) for name in ("PathNotFound", "MethodNotAllowed")),
]


@pytest.fixture(scope="session")
def _services(_running_stack: Stack) -> Iterator[Services]:
    _running_stack.reset()
    with contextlib.closing(Services(_running_stack)) as services:
        yield services


@pytest.fixture
def services(stack: Stack, _services: Services) -> Services:
    _services.prepare()
    return _services


def _objects(node: Any) -> Iterator[Json]:
    """Yield every object in a part of the file."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    for item in node if isinstance(node, list) else []:
        yield from _objects(item)


def _refs(node: Any) -> set[str]:
    return {found["$ref"] for found in _objects(node) if "$ref" in found}


# The file by itself.


def test_the_file_is_valid_openapi_and_every_component_is_used():
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)
    # In a flow mapping, a comma in an unquoted value makes what follows a key.
    assert not [name for node in _objects(DOCUMENT) for name in node if " " in str(name)]
    defined = {f"#/components/{kind}/{name}" for kind, named in COMPONENTS.items() for name in named}
    without_operation = {f"#/components/responses/{name}" for name in ("PathNotFound", "MethodNotAllowed")}
    unlisted = {"#/components/headers/Cache-Control", "#/components/securitySchemes/sigv4"}
    assert defined - _refs(DOCUMENT) == without_operation | unlisted
    assert not re.search(r"[sr]k_(test|live)|whsec_", FILE.read_text())


def test_every_example_fits_its_schema():
    bodies = [response for _, response in DESCRIBED]
    bodies += [operation["requestBody"] for _, operation in operations() if "requestBody" in operation]
    described = [*HEADERS.values(), *(content for body in bodies for content in body["content"].values())]
    shown = [(shown["value"], it["schema"]) for it in described for shown in it.get("examples", {}).values()]
    assert [value for value, schema in shown if not validator(schema).is_valid(value)] == []
    assert len(shown) > 70


def test_a_problem_has_its_codes_titles_and_statuses_and_the_headers_that_they_send():
    for route, response in DESCRIBED:
        codes = codes_of(response)
        examples = response["content"].get("application/problem+json", {}).get("examples", {})
        assert codes in (set(examples), {"card_error"} if examples else set()), route
        for name, shown in examples.items():
            status, title, _ = PROBLEMS.get(name, PROBLEMS["card_error"])
            problem = {"code": name, "type": f"urn:problem-type:notes-billing:{name}", "status": status, "title": title}
            assert problem.items() <= shown["value"].items()
        for name in response.get("headers", {}):
            assert codes & set(HEADERS[name]["examples"]), (route, name)
    assert set().union(*(codes_of(response) for _, response in DESCRIBED)) == set(PROBLEMS)
    assert SCHEMAS["Problem"]["properties"]["status"]["enum"] == sorted({status for status, *_ in PROBLEMS.values()})


# The app.


def test_the_routes_are_the_apps():
    program = """if True:
        import json
        from app import app
        print(json.dumps({
            f"{method} {path}": [
                route.view_name,
                bool(route.authorizer),
                sorted(route.cors.get_access_control_headers()) if route.cors else [],
                route.view_args,
                route.content_types,
            ]
            for path, methods in app.routes.items() for method, route in methods.items()
            if not route.view_name.startswith("not_found_")
        }))
    """
    environment = {**os.environ, "AWS_CHALICE_CLI_MODE": "true"}
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, stdout=-1, check=True)
    described = {}
    for route, operation in operations():
        item = PATHS[route.partition(" ")[2]]
        described[route] = [
            operation["operationId"],
            operation.get("security") == [{"sigv4": []}],
            sorted(CORS_HEADERS) if "options" in item else [],
            [parameter["name"] for parameter in item.get("parameters", [])],
            list(operation.get("requestBody", {"content": ["application/json"]})["content"]),
        ]
    assert described == json.loads(done.stdout)
    assert set(PATHS) == {route.partition(" ")[2] for route in described}


@_one_worker
@pytest.mark.parametrize("path", [path for path in PATHS if "options" in PATHS[path]])
def test_preflights_allow_what_is_described(services: Services, path: str):
    response = services.api.request("OPTIONS", path.replace("{payment_id}", "pi_1"))  # compares the headers
    methods = [method.upper() for method in PATHS[path] if method != "parameters"]
    assert response.headers["Access-Control-Allow-Methods"].split(",") == methods
    sent = {name for route, described in DESCRIBED if route for name in described.get("headers", {})}
    assert set(response.headers["Access-Control-Expose-Headers"].split(",")) == sent


@_one_worker
@pytest.mark.parametrize("case", CASES, ids=str)
def test_responses_are_as_described(services: Services, case: Case):
    response = case.provoke(services)
    method, _, path = case.route.partition(" ")
    check(method, path.replace("{payment_id}", "pi_1"), response)
    assert response.status_code == case.status
    assert without_values(response.json()) == without_values(example(case.route, case.status, case.example))
    if "Retry-After" in response.headers:
        assert int(response.headers["Retry-After"]) == HEADERS["Retry-After"]["examples"][case.example]["value"]


@_one_worker
def test_paths_and_methods_that_are_not_described(services: Services):
    for response, name, code in (
        (services.api.get("/no/such/path"), "PathNotFound", "not_found"),
        (services.api.request("GET", "/billing"), "MethodNotAllowed", "method_not_allowed"),
    ):
        shown = RESPONSES[name]["content"]["application/problem+json"]["examples"][code]["value"]
        assert without_values(response.json()) == without_values(shown)
    assert response.headers["Allow"] == HEADERS["Allow"]["examples"]["method_not_allowed"]["value"]


def test_every_example_is_provoked():
    described = {
        (route, int(status), name)
        for route, operation in operations()
        for status, response in operation["responses"].items()
        for content in response["content"].values()
        for name in content["examples"]
    }
    rejected = {(route, 403, name) for route in SIGNED_PATHS for name in REJECTED}
    provoked = {(case.route, case.status, case.example) for case in CASES}
    assert provoked | rejected | OTHERWISE == described
    assert not provoked & OTHERWISE
    assert set(PURCHASES) <= {case.variant for case in CASES if case.route == CHARGE}


# Fields.


def test_fields_patterns_bounds_and_values_are_those_of_the_code():
    always = payments.Payment.__annotations__.keys() - payments.Payment._field_defaults
    for name, fields, required in (
        ("Payment", payments.Payment.__annotations__, always),
        ("Quote", pricing.Quote.__annotations__, pricing.Quote.__annotations__),
        ("Receipt", webhook.Receipt.__annotations__, webhook.Receipt.__annotations__),
    ):
        assert (set(SCHEMAS[name]["properties"]), set(SCHEMAS[name]["required"])) == (set(fields), set(required))
    assert set(SCHEMAS["Health"]["properties"]) == set(SCHEMAS["Health"]["required"])
    optional = SCHEMAS["Problem"]["properties"].keys() - SCHEMAS["Problem"]["required"]
    assert optional == {"payment_id", "decline_code", "errors"}  # each is in an example: its response is provoked
    assert SCHEMAS["Problem"]["properties"]["errors"]["items"]["properties"].keys() == {"field", "detail"}
    storage = {"type": "integer", "minimum": 1, "maximum": purchase_request.MAX_STORAGE}
    assert SCHEMAS["Storage"]["oneOf"] == [storage, {"type": "string", "pattern": f"^{purchase_request.STORAGE_TEXT}$"}]
    assert PATHS["/billing/quote"]["get"]["parameters"][0]["schema"] == storage
    for name in ("Payment", "Quote"):
        assert storage.items() <= SCHEMAS[name]["properties"]["storage"].items()
    purchases = {}
    for purchase in (SCHEMAS[ref.rpartition("/")[2]] for ref in _refs(SCHEMAS["Purchase"])):
        (field,) = purchase["properties"].keys() - {"storage"}
        assert purchase["required"] == ["storage", field]
        purchases[field] = purchase["properties"][field]["pattern"]
    after = purchase_request.AFTER_PREFIX
    assert purchases == {field: f"^{prefix}{after}$" for field, prefix in purchase_request.PAYMENT_FIELDS.items()}
    charge = PATHS["/billing"]["post"]
    for schema in (charge["parameters"][0]["schema"], HEADERS["Idempotency-Key"]["schema"]):
        assert schema["pattern"] == f"^{purchase_request.IDEMPOTENCY_KEY}$"
    for schema in (PATHS["/billing/{payment_id}"]["parameters"][0]["schema"], SCHEMAS["Payment"]["properties"]["id"]):
        assert schema["pattern"] == f"^{payments.PAYMENT_ID}$"
    charged = charge["responses"]["200"]["content"]["application/json"]["schema"]["allOf"][1]["properties"]["status"]
    assert charged["enum"] == [*payments.CHARGED]
    assert SCHEMAS["Payment"]["properties"]["status"]["enum"] == [*payments.RETRIEVED]
    assert SCHEMAS["Receipt"]["properties"]["announced"]["enum"] == [*ANNOUNCED.values(), None]
    assert SCHEMAS["Currency"]["enum"] == [load({}).currency]


def test_numbers_in_the_descriptions_are_those_of_the_code():
    prices = re.findall(r"(\d+) notes cost\s+(\d+)", DOCUMENT["info"]["description"])
    assert len(prices) == 4
    assert all(pricing.calculate_amount(int(notes)) == int(cents) for notes, cents in prices)
    for path, limit in (("/billing", purchase_request.MAX_BODY_BYTES), ("/stripe/webhook", webhook.MAX_BODY_BYTES)):
        assert f"{limit // 1024} KiB" in PATHS[path]["post"]["responses"]["413"]["description"]
    assert f"{webhook.TOLERANCE} seconds" in PATHS["/stripe/webhook"]["post"]["responses"]["400"]["description"]
    announced = SCHEMAS["StripeEvent"]["description"]
    assert re.findall(r"`([\w.]+)` (?:is published )?as\s+`(\w+)`", announced) == [*ANNOUNCED.items()]
    assert DOCUMENT["info"]["version"] == __version__
