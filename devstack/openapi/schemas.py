"""JSON schemas (2020-12) from the code's types and patterns."""

import dataclasses
import types
import typing
from typing import Any

from chalicelib import payments, pricing, requests, webhooks
from chalicelib.config import StageConfig, load
from chalicelib.events import ANNOUNCED
from chalicelib.problems import PROBLEMS, Problem, invalid_request
from devstack.openapi import prose

Schema = dict[str, Any]

# Members whose values are known better than by their type.
_NARROWED: dict[tuple[str, str], Schema] = {
    ("Payment", "id"): {"pattern": f"^{payments.PAYMENT_ID}$"},
    ("Payment", "status"): {"enum": [*payments.LOOKED_UP]},
    ("Payment", "amount"): {"minimum": 1},
    ("Payment", "storage"): {"minimum": 1, "maximum": requests.MAX_STORAGE},
    ("Quote", "amount"): {"minimum": 1},
    ("Quote", "storage"): {"minimum": 1, "maximum": requests.MAX_STORAGE},
    ("Receipt", "announced"): {"enum": [*ANNOUNCED.values(), None]},
    ("Health", "status"): {"enum": ["ok"]},
}
_JSON_TYPES = {int: "integer", str: "string", types.NoneType: "null"}


def components(answers: list[type]) -> dict[str, Schema]:
    """Return the schemas that the description refers to.

    :param answers: dataclasses and TypedDicts that the routes answer with.
    """
    config = load({})
    return {
        **{answer.__name__: _of_type(answer, config) for answer in answers},
        **_purchases(),
        "StripeEvent": _stripe_event(),
        "Problem": _problem(),
        "GatewayMessage": {
            "type": "object",
            "description": "An answer of API Gateway itself, which writes the member's name both ways.",
            "properties": {"message": {"type": "string"}, "Message": {"type": "string"}},
        },
    }


def of_problems(kinds: list[str]) -> Schema:
    """Return the schema of the problems of one status."""
    status, _ = PROBLEMS[kinds[0]]
    code: Schema = {"enum": sorted(kinds)}
    if "card_error" in kinds:
        code = {"pattern": "^[a-z0-9_]+$"}
    narrowed = {"status": {"const": status}, "code": code}
    return {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "object", "properties": narrowed}]}


def storage_in_query() -> Schema:
    """Return the schema of a number of notes in a query, where all is text."""
    return {"type": "integer", "minimum": 1, "maximum": requests.MAX_STORAGE}


def _of_type(kind: type, config: StageConfig) -> Schema:
    hints = typing.get_type_hints(kind)
    described = prose.FIELDS[kind.__name__]
    properties = {}
    for name, hint in hints.items():
        json_types = [_JSON_TYPES[part] for part in typing.get_args(hint) or (hint,)]
        if dataclasses.is_dataclass(kind) and "null" in json_types:
            json_types.remove("null")  # members that are None are left out
        narrowed = _NARROWED.get((kind.__name__, name), {})
        if name == "currency":
            narrowed = {"enum": [config.currency]}
        properties[name] = {
            "type": json_types[0] if len(json_types) == 1 else json_types,
            "description": described[name],
            **narrowed,
        }
    return {
        "type": "object",
        "description": _first_paragraph(kind),
        "required": _required(kind, list(hints)),
        "properties": properties,
    }


def _required(kind: type, names: list[str]) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    return names


def _first_paragraph(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")


def _purchases() -> dict[str, Schema]:
    """Return the body of POST /billing: a schema for each way to say what pays, closed as the app has it."""
    titles = {name: "".join(word.capitalize() for word in name.split("_")) for name in requests.PAYMENT_FIELDS}
    described = {
        "payment_method": "Stripe.js' `createPaymentMethod` gives it.",
        "confirmation_token": "Stripe.js' `createConfirmationToken` gives it.",
        "source": "Stripe.js' `createToken` gives it. Stripe is ending these: send `payment_method`.",
    }
    schemas: dict[str, Schema] = {"Purchase": {"oneOf": []}}
    for name, prefix in requests.PAYMENT_FIELDS.items():
        pays: Schema = {
            "type": "string",
            "pattern": f"^{prefix}{requests.AFTER_PREFIX}$",
            "description": described[name],
        }
        if name == "source":
            pays["deprecated"] = True
        own = f"PurchaseBy{titles[name]}"
        schemas["Purchase"]["oneOf"].append({"$ref": f"#/components/schemas/{own}"})
        schemas[own] = {
            "type": "object",
            "required": ["storage", name],
            "additionalProperties": False,
            "properties": {"storage": {"$ref": "#/components/schemas/Storage"}, name: pays},
        }
    schemas["Storage"] = {
        "description": "Notes to store: a number without a fraction or exponent, or its decimal string, since HTML "
        "forms post strings.",
        "oneOf": [
            {"type": "integer", "minimum": 1, "maximum": requests.MAX_STORAGE},
            {"type": "string", "pattern": f"^{requests.STORAGE_TEXT}$"},
        ],
    }
    return schemas


def _stripe_event() -> Schema:
    means = ", ".join(f"`{event}` is announced as `{name}`" for event, name in ANNOUNCED.items())
    return {
        "type": "object",
        "description": f"Stripe's Event (https://docs.stripe.com/api/events/object). {means}; others are taken and "
        "mean nothing.",
        "required": ["id", "type", "created", "data"],
        "properties": {
            "id": {"type": "string"},
            "type": {"type": "string"},
            "created": {"type": "integer", "description": "Unix seconds."},
            "data": {
                "type": "object",
                "required": ["object"],
                "properties": {"object": {"type": "object", "description": "What the event is about."}},
            },
        },
    }


def _problem() -> Schema:
    """Return the form of all problems: a real one tells which members are always there."""
    sample = invalid_request(("field", "detail")).response("id").body
    always = Problem("internal_error", "").response("id").body
    described = prose.FIELDS["Problem"]
    properties: dict[str, Schema] = {
        name: {"type": _JSON_TYPES[type(always.get(name, ""))], "description": text} for name, text in described.items()
    }
    properties["type"]["pattern"] = f"^{str(always['type']).removesuffix('internal_error')}"
    properties["status"] |= {"enum": sorted({status for status, _ in PROBLEMS.values()})}
    codes = "".join(
        f"\n- `{kind if kind != 'card_error' else 'card_declined'}` ({status}): {prose.PROBLEMS[kind]}"
        for kind, (status, _) in PROBLEMS.items()
    )
    properties["code"]["description"] += f"\n{codes}"
    entry = {name: {"type": "string"} for name in sample["errors"][0]}
    entries = {"type": "object", "required": [*entry], "properties": entry}
    properties["errors"] = {"type": "array", "items": entries, "description": described["errors"]}
    return {
        "type": "object",
        "description": "An error (RFC 9457).",
        "required": [*always],
        "properties": properties,
    }


def answers() -> dict[str, type]:
    """Return what the routes answer with, by route; the app's own types."""
    from app import Health

    return {
        "POST /billing": payments.Payment,
        "GET /billing/{payment_id}": payments.Payment,
        "GET /billing/quote": pricing.Quote,
        "POST /stripe/webhook": webhooks.Receipt,
        "GET /health": Health,
    }
