"""Checks that each command in a message stands alone on its line and can be pasted. Nothing is run."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
from botocore import xform_name
from botocore.session import get_session

from stagectl.cli import with_commands_of_project

PROJECT = Path(__file__).resolve().parents[2]
_TARGETS = re.findall(r"^([a-z][a-z-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
_GROUPS = ("stages", "secrets", "resources", "webhook", "doctor", "deploy", "smoke")

COMMAND = re.compile(
    rf"(?<![\w./'`-])(?:stagectl (?:--|(?:{'|'.join(_GROUPS)})\b)|aws (?:--\w|[a-z0-9-]+ [a-z-]+)"
    rf"|make (?:{'|'.join(_TARGETS)})\b|git (?:diff|restore|checkout)\b)"
)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")

# Commands of the AWS CLI that are not operations of a service.
_OF_THE_AWS_CLI = ("sso login", "configure list", "configure list-profiles", "logs tail")

# The values that stand for the placeholders of a command in the sources.
_SAMPLES = {
    "kind": "stripe-key",
    "command": "up",
    "_FILE": ".chalice/config.json",
    "file": "policy-dev.json",
    "encrypt": "--attribute-name KmsMasterKeyId --attribute-value alias/aws/sns",
}


def check_output(text: str) -> None:
    """Check every line of what a command printed."""
    for line in _ANSI.sub("", text).splitlines():
        if COMMAND.search(line) and not line.lstrip().startswith("Usage: "):
            check_line(line.strip())


def check_line(line: str) -> None:
    """Check that a line that contains a command is one, and that its program understands it."""
    steps = line.removeprefix("pass stripe | ").split(" && ")
    for step in steps:
        assert COMMAND.match(step), f"a command inside a sentence: {line}"
        program, *arguments = shlex.split(step)
        {"stagectl": _parse_stagectl, "aws": _parse_aws, "make": _parse_make, "git": _parse_git}[program](arguments)


def _parse_stagectl(arguments: list[str]) -> None:
    wants_help = arguments[-1:] == ["--help"]
    command: click.Command = with_commands_of_project()
    context, remaining = None, arguments[:-1] if wants_help else arguments
    try:
        while True:
            context = command.make_context(
                command.name, list(remaining), parent=context, resilient_parsing=wants_help, allow_extra_args=True
            )
            remaining = [*context._protected_args, *context.args]
            if not isinstance(command, click.Group) or not remaining:
                break
            _, command, remaining = command.resolve_command(context, remaining)  # type: ignore[assignment]
    except click.UsageError as error:
        raise AssertionError(f"stagectl {shlex.join(arguments)}: {error.format_message()}") from error
    assert not remaining, remaining


def _parse_aws(arguments: list[str]) -> None:
    while arguments[0] in ("--profile", "--region"):
        arguments = arguments[2:]
    service, operation, *options = arguments
    if f"{service} {operation}" in _OF_THE_AWS_CLI:
        return
    model = get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[operation]).input_shape
    takes_value = {xform_name(name, "-"): it.type_name != "boolean" for name, it in shape.members.items()}
    names = {option.removeprefix("--") for option in options if option.startswith("--")}
    assert names <= takes_value.keys(), names
    assert {xform_name(name, "-") for name in shape.required_members} <= names, names
    assert len(options) == sum(1 + takes_value[name] for name in names), options


def _parse_make(arguments: list[str]) -> None:
    assert all(argument in _TARGETS or re.fullmatch(r"[A-Z]+=.+", argument) for argument in arguments), arguments


def _parse_git(arguments: list[str]) -> None:
    assert (PROJECT / arguments[-1]).exists(), arguments


def texts_of(source: Path) -> Iterator[str]:
    """Yield the texts of a source file that are not docstrings, with a sample for each placeholder."""
    tree = ast.parse(source.read_text())
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("stagectl", "aws")
        ):
            rest = " --stage dev" if node.func.attr == "stagectl" else ""
            yield f"{node.func.attr} {_text(node.args[0])}{rest}"
        elif isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in docstrings | parts:
            yield _text(node)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.FormattedValue):
        return _SAMPLES.get(ast.unparse(node.value), "dev")
    return str(node.value) if isinstance(node, ast.Constant) else f"{{{ast.unparse(node)}}}"
