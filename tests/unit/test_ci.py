"""CI runs what a newcomer runs: the workflow's steps are .ci/run and make targets, not commands of their own."""

import re
from typing import Any

import pytest
import yaml

from tests.support.stack import PROJECT

GITHUB = PROJECT / ".github"
JOBS: dict[str, Any] = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())["jobs"]


def run_steps(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def make_targets(commands: list[str]) -> set[str]:
    """Return the targets that make commands build, prerequisites included."""
    rules = dict(re.findall(r"^([\w-]+):(?: (.+))?$", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    targets = {target for command in commands for target in command.removeprefix("make ").split()}
    while (
        new := {prerequisite for target in targets for prerequisite in rules[target].split()}
        - targets
        - {".venv/.ready"}
    ):
        targets |= new
    return targets - {"setup"}


def ci_run() -> set[str]:
    return make_targets(re.findall(r"^make .+$", (PROJECT / ".ci" / "run").read_text(), re.MULTILINE))


def test_the_workflow_runs_only_what_ci_run_runs():
    commands = {command for job in JOBS for command in run_steps(job)}
    assert commands - {".ci/run"} == {"make lint", "make test"}
    assert make_targets([command for command in commands if command != ".ci/run"]) <= ci_run()
    assert run_steps("everything") == [".ci/run"]


def test_ci_run_lints_and_runs_all_tests():
    assert ci_run() == {"lint", "test-all", "test", "test-slow", "test-packaged", "fuzz"}


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
