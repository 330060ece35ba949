"""Decode forms and query strings with Stripe's brackets: ``a[b]=c``, ``a[0]=x``, ``a[]=x``."""

import re
from typing import Any
from urllib.parse import parse_qsl

from devstack.stripe import errors

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")

_DEEPEST = 20


def decode(encoded: str) -> dict[str, Any]:
    """Decode ``application/x-www-form-urlencoded`` text to nested dicts and lists of strings.

    :raises StripeError: 400, a name is both a value and a group, or is nested too deep.
    """
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        _insert(tree, _path(name), value)
    return {name: _with_lists(value) for name, value in tree.items()}


def _path(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    path = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])] if match else [name]
    if len(path) > _DEEPEST:
        raise errors.invalid_request(f"Parameters can be nested up to {_DEEPEST} levels.", path[0])
    return path


def _insert(tree: dict[str, Any], path: list[str], value: str) -> None:
    node = tree
    for part in path[:-1]:
        node = node.setdefault(part or str(len(node)), {})
        if not isinstance(node, dict):
            raise _conflict("Hash (got String)", path[0])
    last = path[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise _conflict("String (got Hash)", path[0])
    node[last] = value


def _conflict(what: str, name: str) -> errors.StripeError:
    return errors.invalid_request(f"Invalid parameters: expected {what} for param `{name}'", name)


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    children = {name: _with_lists(value) for name, value in node.items()}
    indexes = [str(index) for index in range(len(children))]
    return [children[index] for index in indexes] if set(children) == set(indexes) else children
