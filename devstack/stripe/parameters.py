"""Validate and convert parameters by stripe-python's TypedDict of each call (``stripe.params``)."""

import functools
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

import stripe
from typing_extensions import NotRequired, Required, TypedDict, get_type_hints, is_typeddict

from devstack.stripe import errors

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")

# Members of the TypedDicts that are options of the HTTP request, not parameters of the call.
_REQUEST_OPTIONS = stripe.RequestOptions.__annotations__
# Names that the annotations of those members use, but that their modules do not define at run time.
_UNDEFINED = {"StripeContext": object, "Mapping": Mapping}


class _CardByToken(TypedDict):
    token: str


# Stripe's API accepts a card's token in payment_method_data. The published specification lacks it, and so do the
# TypedDicts, which are generated from the specification.
_ADDITIONAL: dict[str, dict[str, Any]] = {
    "PaymentIntentCreateParamsPaymentMethodData": {"card": NotRequired[_CardByToken], "type": Literal["card"]}
}


def validate(params: Mapping[str, Any], shape: type) -> dict[str, Any]:
    """Validate a call's parameters, and convert integers and booleans.

    :param params: nested dicts and lists of strings, from :func:`devstack.stripe.forms.decode`.
    :param shape: a TypedDict of ``stripe.params``.
    :return: the converted parameters.
    :raises StripeError: 400, a parameter is unknown, missing or malformed.
    """
    return _group(params, shape, "")


@functools.cache
def _fields(shape: type) -> dict[str, tuple[Any, bool]]:
    """Return the type of each member of a TypedDict, and whether it is required."""
    hints: dict[str, Any] = get_type_hints(shape, localns=_UNDEFINED, include_extras=True)
    for name, hint in _ADDITIONAL.get(shape.__name__, {}).items():
        hints[name] = typing.Union[hint, hints[name]] if name in hints else hint  # noqa: UP007 - hint is a value
    fields = {}
    for name, hint in hints.items():
        if name not in _REQUEST_OPTIONS:
            marker: Any = typing.get_origin(hint)
            marked = marker in (NotRequired, Required)
            fields[name] = (typing.get_args(hint)[0] if marked else hint, marker is not NotRequired)
    return fields


def _group(params: Mapping[str, Any], shape: type, path: str) -> dict[str, Any]:
    fields = _fields(shape)
    if unknown := [_join(path, name) for name in params if name not in fields]:
        message = f"Received unknown parameter{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}"
        raise errors.invalid_request(message, unknown[0], "parameter_unknown")
    for name, (_, required) in fields.items():
        if required and name not in params:
            raise errors.missing_parameter(_join(path, name))
    return {name: _value(value, fields[name][0], _join(path, name)) for name, value in params.items()}


def _value(value: Any, hint: Any, path: str) -> Any:
    kinds = _alternatives(hint)
    if value == "":
        return _empty(kinds, path)
    if isinstance(value, str):
        return _scalar(value, kinds, path)
    for kind in kinds:
        origin = typing.get_origin(kind)
        if origin is list and (items := _items(value)) is not None:
            item_type = typing.get_args(kind)[0]
            return [_value(item, item_type, f"{path}[{index}]") for index, item in enumerate(items)]
        named = {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else value
        if is_typeddict(kind):
            return _group(named, kind, path)
        if origin is dict:
            value_type = typing.get_args(kind)[1]
            return {k: v if v == "" else _value(v, value_type, f"{path}[{k}]") for k, v in named.items()}
    raise _validation_error(value, kinds, path)


def _alternatives(hint: Any) -> list[Any]:
    """Return the members of a union, without ``str`` if the union has a Literal.

    stripe-python declares ``Literal['a', 'b'] | str`` so that values of later API versions type-check. The API accepts
    only a and b.
    """
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = list(typing.get_args(hint)) if is_union else [hint]
    return [kind for kind in kinds if kind is not str] if _choices(kinds) else kinds


def _choices(kinds: list[Any]) -> list[str]:
    literals = [kind for kind in kinds if typing.get_origin(kind) is Literal]
    return [value for literal in literals for value in typing.get_args(literal) if value != ""]


def _empty(kinds: list[Any], path: str) -> str:
    """Return the empty value of a parameter that can be unset; groups of metadata always can."""
    if Literal[""] in kinds or any(typing.get_origin(kind) is dict for kind in kinds):
        return ""
    raise errors.invalid_request(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; "
        f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value.",
        path,
        "parameter_invalid_empty",
    )


def _scalar(value: str, kinds: list[Any], path: str) -> Any:
    if bool in kinds and value in ("true", "false"):
        return value == "true"
    if int in kinds and _INTEGER.fullmatch(value):
        return int(value)
    if value in _choices(kinds) or str in kinds:
        return value
    raise _validation_error(value, kinds, path)


def _items(value: Any) -> list[Any] | None:
    """Return a list's items; None if it is not a list. Indexes may have gaps (``a[2]=x&a[7]=y``)."""
    if isinstance(value, list):
        return value
    if all(name.isascii() and name.isdigit() for name in value):
        return [value[name] for name in sorted(value, key=int)]
    return None


def _validation_error(value: Any, kinds: list[Any], path: str) -> errors.StripeError:
    if choices := _choices(kinds):
        names = choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])}, or {choices[-1]}"
        return errors.invalid_request(f"Invalid {path}: must be one of {names}", path)
    code = "parameter_invalid_integer" if int in kinds else None
    for kind, name in ((int, "integer"), (bool, "boolean"), (str, "string")):
        if kind in kinds:
            return errors.invalid_request(f"Invalid {name}: {value}", path, code)
    is_list = any(typing.get_origin(kind) is list for kind in kinds)
    return errors.invalid_request("Invalid array" if is_list else "Invalid object", path)


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name
