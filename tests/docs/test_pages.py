"""README and docs match the code: links, paths, problem codes, doctor lines and messages."""

import ast
import re
from pathlib import Path

import pytest

from chalicelib.problems import PROBLEMS
from stagectl.commands.doctor import CONFIGURATION
from stagectl.doctor import runner
from tests.support.stack import PROJECT

DOCS = sorted((PROJECT / "docs").glob("*.md"))
PAGES = [*(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")), *DOCS]
TROUBLESHOOTING = (PROJECT / "docs" / "troubleshooting.md").read_text()


def prose_of(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links_of(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose_of(page))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a code host creates for a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path):
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), f"{page.name}: {link}"
        assert target.is_relative_to(PROJECT), f"{page.name}: {link}"
        assert not anchor or anchor in anchors_of(target), f"{page.name}: {link}"


def test_the_readme_links_every_page():
    linked = {link.partition("#")[0] for link in links_of(PROJECT / "README.md")}
    assert {f"docs/{page.name}" for page in DOCS} <= linked


_SOURCES = ("benchmarks/", "chalicelib/", "devstack/", "infrastructure/", "operations/", "stagectl/", "tests/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_of_the_project_exists(page: Path):
    paths = {path for path in re.findall(r"`([\w./-]+)`", prose_of(page)) if path.startswith(_SOURCES)}
    assert [path for path in sorted(paths) if not (PROJECT / path).exists()] == []


def test_every_problem_of_the_api_is_on_the_pages_for_callers_and_operators():
    codes = {kind if kind != "card_error" else "card_declined": status for kind, (status, *_) in PROBLEMS.items()}
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", TROUBLESHOOTING, re.MULTILINE)
    assert sorted((code, int(status)) for status, code in rows) == sorted(codes.items())
    for_callers = (PROJECT / "docs" / "http-api.md").read_text()
    assert [code for code in codes if f"`{code}`" not in for_callers] == []


def test_every_line_of_the_doctor_is_on_its_page():
    checks = [CONFIGURATION, *runner.GATES, *runner.preflight(), *runner.after_deploy()]
    assert re.findall(r"^\| `([a-z-]+)` \|", (PROJECT / "docs" / "doctor.md").read_text(), re.MULTILINE) == checks


def test_the_messages_on_the_page_are_those_of_stagectl_and_make_run():
    sections = re.findall(r"^## `(?:stagectl|make run)` .*?(?=^## |\Z)", TROUBLESHOOTING, re.DOTALL | re.MULTILINE)
    assert len(sections) == 2
    printed = messages()
    for section in sections:
        cells = re.findall(r"^\| (`.+?) \| ", section, re.MULTILINE)
        quoted = [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]
        assert quoted
        patterns = [".*".join(map(re.escape, message.split("…"))) for message in quoted]
        assert [pattern for pattern in patterns if not re.search(pattern, printed)] == []


def messages() -> str:
    """Return the texts in the sources, one per line, with … for a value."""
    sources = [file for name in ("stagectl", "operations", "devstack") for file in (PROJECT / name).rglob("*.py")]
    sources.append(PROJECT / "app.py")
    texts = [(PROJECT / "Makefile").read_text()]
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(str(it.value) if isinstance(it, ast.Constant) else "…" for it in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)
