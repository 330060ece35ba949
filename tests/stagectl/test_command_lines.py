"""Commands in messages and in --help can be pasted, and --help is readable on a small terminal."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stagectl.cli import with_commands_of_project
from tests import PROJECT
from tests.support.command_lines import COMMAND, check_line, check_output, texts_of
from tests.support.operator_session import Operator

SOURCES = sorted(file for name in ("stagectl", "operations") for file in (PROJECT / name).rglob("*.py"))


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, *path, name)


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_each_command_in_the_sources_stands_alone_and_parses(source: Path):
    for text in texts_of(source):
        for line in text.splitlines():
            if COMMAND.search(line):
                check_line(line.strip())


@pytest.mark.parametrize("path", list(commands(with_commands_of_project())), ids=" ".join)
def test_each_help_is_whole_at_80_columns_and_its_commands_can_be_pasted(path: tuple[str, ...]):
    shown = CliRunner().invoke(with_commands_of_project(), [*path, "--help"], prog_name="stagectl", terminal_width=80)
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert [line for line in lines if re.search(r"\w\.\.\.$", line)] == []
    assert len(lines) <= 25 or path
    check_output(shown.output)


@pytest.mark.parametrize(
    "text",
    [
        "To store it: stagectl secrets put --stage dev",
        "stagectl secrets put --stage dev stores it",
        "stagectl secrets put",
        "stagectl deploy --stage dev --skip nothing",
        "aws ssm delete-parameter",
        "aws ssm delete-parameter --name a --force b",
        "make setup && then make run",
    ],
)
def test_a_command_in_a_sentence_or_with_a_mistake_is_found(text: str):
    with pytest.raises(AssertionError):
        check_output(text)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["deploy"], ["prod, dev", "stagectl deploy --help"]),
        (["stages", "add", "--stage", "featureX"], ["\n    stagectl stages add featureX\n"]),
    ],
)
def test_a_wrong_command_shows_the_right_form(operator: Operator, command: list[str], words: list[str]):
    done = operator.run(*command)
    assert done.returncode == 2
    assert [word for word in words if word not in done.stderr] == []


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_stages_are_listed_by_their_own_command_too(operator: Operator, options: list[str]):
    assert operator.does("stages", "list", *options) == operator.does("stages", *options)
