"""openapi.yaml and the app describe each other exactly: neither has a route, code, field, bound or header alone.

Beside these tests, every response that any test receives from `chalice local` is compared with the file: Api.request.
"""

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
from tests import fuzz
from tests.support.contract import (
    COMPONENTS,
    CORS_HEADERS,
    DOCUMENT,
    FILE,
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
from tests.support.scenarios import CASES, CHARGE, EVENTS, OTHERWISE, PURCHASES, REJECTED, SIGNED_PATHS, Case, Services
from tests.support.stack import PROJECT, Stack

_one_worker = pytest.mark.xdist_group("openapi")
SCHEMAS = COMPONENTS["schemas"]
HEADERS = COMPONENTS["headers"]


@pytest.fixture(scope="session")
def _services(_running_stack: Stack) -> Iterator[Services]:
    _running_stack.reset()
    services = Services(_running_stack)
    yield services
    services.close()


@pytest.fixture
def services(stack: Stack, _services: Services) -> Services:
    _services.prepare()
    return _services


@pytest.fixture(scope="module")
def routes() -> dict[str, Json]:
    """The app's routes, without those that return 404 for every other path."""
    program = """if True:
        import json
        from app import app
        print(json.dumps({
            f"{method} {path}": {
                "name": route.view_name,
                "signed": bool(route.authorizer),
                "cors": sorted(route.cors.get_access_control_headers()) if route.cors else [],
                "path_parameters": route.view_args,
                "media_types": route.content_types,
            }
            for path, methods in app.routes.items() for method, route in methods.items()
            if not route.view_name.startswith("not_found_")
        }))
    """
    environment = {**os.environ, "AWS_CHALICE_CLI_MODE": "true"}
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, stdout=-1, check=True)
    loaded: dict[str, Json] = json.loads(done.stdout)
    return loaded


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _refs(item)


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _keys(item)


def _responses() -> Iterator[tuple[str, Json]]:
    """Yield every described response with its route; a path or method that is not described has no route."""
    for route, operation in operations():
        yield from ((route, response) for response in operation["responses"].values())
    yield from (("", RESPONSES[name]) for name in ("PathNotFound", "MethodNotAllowed"))


# The file by itself.


def test_the_file_is_valid_openapi():
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)
    # In a flow mapping, a comma in an unquoted value makes what follows a key.
    assert not [key for key in _keys(DOCUMENT) if " " in str(key)]


def test_every_component_is_used():
    defined = {f"#/components/{kind}/{name}" for kind, named in COMPONENTS.items() for name in named}
    without_operation = {f"#/components/responses/{name}" for name in ("PathNotFound", "MethodNotAllowed")}
    unlisted = {"#/components/headers/Cache-Control", "#/components/securitySchemes/sigv4"}
    assert defined - set(_refs(DOCUMENT)) == without_operation | unlisted


def test_every_example_fits_its_schema():
    bodies = [response["content"] for _, response in _responses()]
    bodies += [operation["requestBody"]["content"] for _, operation in operations() if "requestBody" in operation]
    count = 0
    for content in (content for body in bodies for content in body.values()):
        assert content["examples"]
        for name, shown in content["examples"].items():
            assert not [*validator(content["schema"]).iter_errors(shown["value"])], name
            count += 1
    assert count > 60
    for name, header in HEADERS.items():
        for shown in header.get("examples", {}).values():
            assert validator(header["schema"]).is_valid(shown["value"]), name


def test_no_secret_is_in_the_examples():
    assert not re.search(r"[sr]k_(test|live)|whsec_", FILE.read_text())


# Routes.


def test_the_routes_are_the_apps(routes: dict[str, Json]):
    described = {
        route: {
            "name": operation["operationId"],
            "signed": operation.get("security") == [{"sigv4": []}],
            "cors": sorted(CORS_HEADERS) if "options" in PATHS[route.partition(" ")[2]] else [],
            "path_parameters": [
                parameter["name"] for parameter in PATHS[route.partition(" ")[2]].get("parameters", [])
            ],
        }
        for route, operation in operations()
    }
    for route in routes.values():
        media_types = route.pop("media_types")
        assert media_types == ["application/json"]
    assert described == routes
    for _, operation in operations():
        assert list(operation.get("requestBody", {"content": {"application/json": ...}})["content"]) == media_types
    assert set(PATHS) == {route.partition(" ")[2] for route in routes}


@_one_worker
@pytest.mark.parametrize("path", [path for path in PATHS if "options" in PATHS[path]])
def test_preflights_allow_what_is_described(services: Services, path: str):
    response = services.api.request("OPTIONS", path.replace("{payment_id}", "pi_1"))  # compares the headers
    methods = [method.upper() for method in PATHS[path] if method != "parameters"]
    assert response.headers["Access-Control-Allow-Methods"].split(",") == methods
    sent = {name for route, response in _responses() if route for name in response.get("headers", {})}
    assert set(response.headers["Access-Control-Expose-Headers"].split(",")) == sent


# Responses.


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


def test_every_described_code_is_provoked():
    described = {
        (route, int(status), code)
        for route, operation in operations()
        for status, response in operation["responses"].items()
        for code in codes_of(response) or {""}
    }
    codes = {200: "", 402: "card_error"}
    provoked = {(case.route, case.status, codes.get(case.status, case.example)) for case in CASES}
    assert provoked | OTHERWISE == described
    assert not provoked & OTHERWISE


def test_every_example_is_provoked():
    described = {
        (route, int(status), name)
        for route, operation in operations()
        for status, response in operation["responses"].items()
        for content in response["content"].values()
        for name in content["examples"]
    }
    rejected = {(route, 403, name) for route in SIGNED_PATHS for name in REJECTED}
    assert {(case.route, case.status, case.example) for case in CASES} | rejected | OTHERWISE == described
    sent = {case.variant for case in CASES if case.route == CHARGE}
    assert set(PURCHASES) <= sent
    assert set(EVENTS) == {"announced"}


def test_the_codes_are_those_of_the_code():
    described = {
        (code, response_status) for _, response in _responses() for code, response_status in _problems(response)
    }
    assert described == {(code, status) for code, (status, *_) in PROBLEMS.items()}
    assert SCHEMAS["Problem"]["properties"]["status"]["enum"] == sorted({status for status, *_ in PROBLEMS.values()})


def _problems(response: Json) -> Iterator[tuple[str, int]]:
    """Yield the codes of a response with their status."""
    for code in codes_of(response):
        schema = response["content"]["application/problem+json"]["schema"]["$ref"].rpartition("/")[2]
        yield code, SCHEMAS[schema]["properties"]["status"]["const"]


def test_every_code_has_an_example_with_its_title_and_status():
    for route, response in _responses():
        examples = response["content"].get("application/problem+json", {}).get("examples", {})
        assert codes_of(response) in (set(examples), {"card_error"} if examples else set()), route
        for name, shown in examples.items():
            problem = shown["value"]
            assert problem["code"] == name
            assert problem["type"] == f"urn:problem-type:notes-billing:{name}"
            assert (problem["status"], problem["title"]) == PROBLEMS.get(name, PROBLEMS["card_error"])[:2]


def test_headers_are_described_where_a_code_sends_them():
    """Which code sends which header is compared with every response: tests.contract.check."""
    sent_on = {"Retry-After": set(PATHS), "Idempotency-Key": {"/billing"}, "Allow": {""}}
    for route, response in _responses():
        codes = codes_of(response)
        described = {name for name, paths in sent_on.items() if route.partition(" ")[2] in paths
                     and codes & set(HEADERS[name]["examples"])}  # fmt: skip
        assert set(response.get("headers", {})) == described, (route, codes)
    for name in sent_on:
        assert set(HEADERS[name]["examples"]) <= set(PROBLEMS)


# Fields.


def test_every_described_field_is_in_a_response():
    """The examples have the members of real responses: test_responses_are_as_described."""
    members: dict[str, set[str]] = {}
    for _, response in _responses():
        for content in response["content"].values():
            names = [ref.rpartition("/")[2] for ref in _refs(content["schema"])]
            names += [ref.rpartition("/")[2] for name in names for ref in _refs(SCHEMAS[name].get("allOf", []))]
            for value in (shown["value"] for shown in content["examples"].values()):
                for name in names:
                    members.setdefault(name, set()).update(value)
                members.setdefault("errors", set()).update(*value.get("errors", []))
    errors = SCHEMAS["Problem"]["properties"]["errors"]["items"]
    for name in ("Payment", "Quote", "Receipt", "Health", "Problem", "GatewayMessage"):
        assert set(SCHEMAS[name]["properties"]) == members[name], name
    assert set(errors["properties"]) == set(errors["required"]) == members["errors"]


def test_required_fields_are_those_of_the_code():
    for name, kind in (("Quote", pricing.Quote), ("Receipt", webhook.Receipt)):
        assert set(SCHEMAS[name]["required"]) == set(kind.__annotations__)
    always = {name for name in payments.Payment.__annotations__ if name not in payments.Payment._field_defaults}
    assert set(SCHEMAS["Payment"]["required"]) == always
    assert set(SCHEMAS["Payment"]["properties"]) == set(payments.Payment.__annotations__)


def test_patterns_bounds_and_values_are_those_of_the_code():
    storage = {"type": "integer", "minimum": 1, "maximum": purchase_request.MAX_STORAGE}
    assert SCHEMAS["Storage"]["oneOf"] == [storage, {"type": "string", "pattern": f"^{purchase_request.STORAGE_TEXT}$"}]
    (quoted,) = PATHS["/billing/quote"]["get"]["parameters"]
    assert quoted["schema"] == storage
    for name in ("Payment", "Quote"):
        described = SCHEMAS[name]["properties"]["storage"]
        assert storage == {keyword: value for keyword, value in described.items() if keyword != "description"}
    purchases = {}
    for ref in _refs(SCHEMAS["Purchase"]):
        purchase = SCHEMAS[ref.rpartition("/")[2]]
        (field,) = purchase["properties"].keys() - {"storage"}
        assert purchase["required"] == ["storage", field]
        purchases[field] = purchase["properties"][field]["pattern"]
    assert purchases == {
        field: f"^{prefix}{purchase_request.AFTER_PREFIX}$" for field, prefix in purchase_request.PAYMENT_FIELDS.items()
    }
    (key,) = PATHS["/billing"]["post"]["parameters"]
    for schema in (key["schema"], HEADERS["Idempotency-Key"]["schema"]):
        assert schema["pattern"] == f"^{purchase_request.IDEMPOTENCY_KEY}$"
    (payment_id,) = PATHS["/billing/{payment_id}"]["parameters"]
    for schema in (payment_id["schema"], SCHEMAS["Payment"]["properties"]["id"]):
        assert schema["pattern"] == f"^{payments.PAYMENT_ID}$"
    assert SCHEMAS["Payment"]["properties"]["status"]["enum"] == [*payments.RETRIEVED]
    charged = PATHS["/billing"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["allOf"][1]
    assert charged["properties"]["status"]["enum"] == [*payments.CHARGED]
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


@_one_worker
def test_schemathesis_finds_no_response_that_is_not_described(services: Services):
    """A few cases of each kind; `make fuzz` makes thousands."""
    done = fuzz.run(services, 3, "--generation-deterministic", "--no-shrink")
    assert done.passed, done.output
    assert done.cases > 100
