"""CI runs what a newcomer runs: the workflow's steps are .ci/run and make targets, not commands of their own."""

import re
from typing import Any

import pytest
import yaml

from tests import PROJECT

GITHUB = PROJECT / ".github"
JOBS: dict[str, Any] = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())["jobs"]


MAKEFILE = dict(re.findall(r"^([\w-]+):(?: (.+))?$", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def run_steps(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def targets_of(script: str) -> list[str]:
    """Return the targets of the make commands in a script, in their order."""
    commands = re.findall(r"^make ([\w -]+)", script, re.MULTILINE)
    return [target for command in commands for target in command.split()]


def test_the_workflow_runs_only_make_targets_and_ci_run():
    commands = {command for job in JOBS for command in run_steps(job)}
    assert commands == {"make lint", "make test", "make mutants", ".ci/run"}
    assert run_steps("everything") == [".ci/run"]


def test_ci_run_lints_first_and_runs_every_test_once():
    lint, *tests = targets_of((PROJECT / ".ci" / "run").read_text())
    assert lint == "lint"
    assert tests == MAKEFILE["test-all"].split()


def test_the_tests_run_on_every_supported_python():
    supported = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (PROJECT / "pyproject.toml").read_text())
    assert JOBS["test"]["strategy"]["matrix"]["python"] == supported
    assert f'requires-python = ">={supported[0]}"' in (PROJECT / "pyproject.toml").read_text()


@pytest.mark.parametrize("file", sorted(GITHUB.glob("ISSUE_TEMPLATE/[!c]*.yml")), ids=lambda file: file.stem)
def test_issue_forms_have_what_github_requires(file):
    form = yaml.safe_load(file.read_text())
    assert form["name"]
    assert form["description"]
    fields = [element for element in form["body"] if element["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)


def test_dependabot_updates_python_packages_and_actions():
    settings = yaml.safe_load((GITHUB / "dependabot.yml").read_text())
    assert settings["version"] == 2
    assert {update["package-ecosystem"] for update in settings["updates"]} == {"pip", "github-actions"}
