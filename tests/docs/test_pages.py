"""README and docs match the code: links, paths, commands, problem codes and doctor lines."""

import re
import textwrap
from pathlib import Path

import click
import pytest

from chalicelib.problems import PROBLEMS
from stagectl.cli import with_commands_of_project
from stagectl.commands.doctor import CONFIGURATION
from stagectl.doctor import runner
from tests import PROJECT
from tests.support.command_lines import COMMAND, check_line

DOCS = sorted((PROJECT / "docs").glob("*.md"))
PAGES = [*(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")), *DOCS]
SOURCES = tuple(f"{folder.name}/" for folder in PROJECT.iterdir() if (folder / "__init__.py").exists())
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose_of(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links_of(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose_of(page))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a code host creates for a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_to_a_file_and_a_heading(page: Path):
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), link
        assert target.is_relative_to(PROJECT), link
        assert not anchor or anchor in anchors_of(target), link


def test_the_readme_links_every_page():
    linked = {link.partition("#")[0] for link in links_of(PROJECT / "README.md")}
    assert {f"docs/{page.name}" for page in DOCS} <= linked


@every_page
def test_every_path_of_the_project_exists(page: Path):
    paths = {path for path in re.findall(r"`([\w./-]+)`", prose_of(page)) if path.startswith(SOURCES)}
    assert [path for path in sorted(paths) if not (PROJECT / path).exists()] == []


@every_page
def test_every_command_parses(page: Path):
    blocks = re.findall(r"^( *)```\n(.*?)^\1```$", page.read_text(), re.DOTALL | re.MULTILINE)
    for line in "".join(textwrap.dedent(block) for _, block in blocks).splitlines():
        if COMMAND.match(line):
            check_line(line)
    for words in re.findall(r"`stagectl ((?:[a-z]+ ?)+)", prose_of(page)):
        command: click.Command = with_commands_of_project()
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.commands[word]


def test_every_problem_of_the_api_is_on_the_pages_for_callers_and_operators():
    codes = {kind if kind != "card_error" else "card_declined": status for kind, (status, *_) in PROBLEMS.items()}
    for_operators, for_callers = ((PROJECT / "docs" / it).read_text() for it in ("troubleshooting.md", "http-api.md"))
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", for_operators, re.MULTILINE)
    assert sorted((code, int(status)) for status, code in rows) == sorted(codes.items())
    assert [code for code in codes if f"`{code}`" not in for_callers] == []


def test_every_line_of_the_doctor_is_on_its_page():
    checks = [CONFIGURATION, *runner.GATES, *runner.preflight(), *runner.after_deploy()]
    assert re.findall(r"^\| `([a-z-]+)` \|", (PROJECT / "docs" / "doctor.md").read_text(), re.MULTILINE) == checks
