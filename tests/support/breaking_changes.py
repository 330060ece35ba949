"""Finds what breaks clients between two versions of openapi.yaml. No Python package checks headers and bounds too."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_METHODS = ("get", "put", "post", "delete", "patch", "options")
_LOWER_BOUNDS = ("minimum", "minLength", "minItems")
_UPPER_BOUNDS = ("maximum", "maxLength", "maxItems")


def unannounced_changes(old: Json | None, new: Json) -> list[str]:
    """Return the breaking changes, unless the minor or major version rose or ``old`` is from before version 0.1."""
    if old is None or _version(old) < (0, 1) or _version(new) > _version(old):
        return []
    return breaking_changes(old, new)


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Return a line for each change that breaks a client of ``old``."""
    now, changes = _operations(new), []
    for route, (was_signed, request, responses) in _operations(old).items():
        if route not in now:
            changes.append(f"{route}: removed")
            continue
        is_signed, new_request, new_responses = now[route]
        changes += [f"{route}: requires a signature"] if is_signed and not was_signed else []
        changes += _narrower(route, request, new_request, in_request=True)
        changes += _narrower(route, responses, new_responses, in_request=False)
    return changes


def _operations(document: Json) -> dict[str, tuple[bool, Json, Json]]:
    """Return each route with whether it is signed, and its request and responses, both as one schema."""
    operations = {}
    for path, item in _resolve(document["paths"], document).items():
        for method, operation in ((method, item[method]) for method in _METHODS if method in item):
            signed = bool(operation.get("security"))
            operations[f"{method.upper()} {path}"] = (signed, _request(item, operation), _responses(operation))
    return operations


def _request(item: Json, operation: Json) -> Json:
    parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
    fields = {parameter["name"]: parameter for parameter in parameters}
    if "requestBody" in operation:
        body = operation["requestBody"]
        fields["body"] = {**body, "schema": {"properties": _media_types(body), "additionalProperties": False}}
    required = [name for name, field in fields.items() if field.get("required")]
    return {"properties": {name: field["schema"] for name, field in fields.items()}, "required": required}


def _responses(operation: Json) -> Json:
    responses = {}
    for status, response in operation["responses"].items():
        headers = {name: header["schema"] for name, header in response.get("headers", {}).items()}
        responses[status] = {"properties": headers | _media_types(response)}
    return {"properties": responses}


def _media_types(owner: Json) -> Json:
    return {media_type: content["schema"] for media_type, content in owner.get("content", {}).items()}


def _narrower(where: str, old: Json, new: Json, *, in_request: bool) -> Iterator[str]:
    """Yield how a schema accepts less in a request, or promises less in a response."""
    old, new = _merged(old), _merged(new)
    if any(old.get(keyword) != new.get(keyword) for keyword in ("type", "pattern", "format")):
        yield f"{where}: has another type, pattern or format"
    for keyword in (*_LOWER_BOUNDS, *_UPPER_BOUNDS) if in_request else ():
        sign = 1 if keyword in _UPPER_BOUNDS else -1
        if keyword in new and (keyword not in old or sign * new[keyword] < sign * old[keyword]):
            yield f"{where}: {keyword} is narrower"
    if "enum" in new and ("enum" not in old or not set(old["enum"]) <= set(new["enum"])):
        yield f"{where}: has fewer values"
    required, was_required = set(new.get("required", [])), set(old.get("required", []))
    for name in sorted(required - was_required if in_request else was_required - required):
        yield f"{where} {name}: is {'now' if in_request else 'no longer'} required"
    for name, schema in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _narrower(f"{where} {name}", schema, new["properties"][name], in_request=in_request)
        elif not in_request or new.get("additionalProperties") is False:
            yield f"{where} {name}: removed"
    if "items" in old and "items" in new:
        yield from _narrower(f"{where} items", old["items"], new["items"], in_request=in_request)
    for number, alternative in enumerate(old.get("oneOf", []), 1):
        if all([*_narrower("", alternative, now, in_request=in_request)] for now in new.get("oneOf", [])):
            yield f"{where}: alternative {number} is removed or narrower"


def _merged(schema: Json) -> Json:
    """Return a schema with its allOf merged into it, and `const` as an enum of one value."""
    merged = {name: value for name, value in schema.items() if name not in ("allOf", "const")}
    merged |= {"enum": [schema["const"]]} if "const" in schema else {}
    for part in map(_merged, schema.get("allOf", [])):
        properties = merged.get("properties", {})
        for name, value in part.get("properties", {}).items():
            properties = {**properties, name: {"allOf": [value], **properties.get(name, {})}}
        required = [*part.get("required", []), *merged.get("required", [])]
        merged = {**part, **merged, "properties": properties, "required": required}
    return merged


def _resolve(node: Any, document: Json) -> Any:
    if isinstance(node, list):
        return [_resolve(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        _, kind, name = node["$ref"].removeprefix("#/").split("/")
        return _resolve(document["components"][kind][name], document)
    return {name: _resolve(value, document) for name, value in node.items()}


def _version(document: Json) -> tuple[int, ...]:
    """Return the major and minor version."""
    return tuple(int(part) for part in document["info"]["version"].split(".")[:2])
