"""CI runs what a newcomer runs: the workflow's steps are .ci/run and make targets, not commands of their own."""

import re
from typing import Any

import yaml

from tests import PROJECT

JOBS: dict[str, Any] = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]


MAKEFILE = dict(re.findall(r"^([\w-]+):(?: (.+))?$", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def run_steps(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_the_workflow_runs_only_make_targets_and_ci_run():
    commands = {command for job in JOBS for command in run_steps(job)}
    assert commands == {"make lint", "make test", "make mutants", ".ci/run"}
    assert run_steps("everything") == [".ci/run"]


def test_ci_run_lints_first_and_runs_every_test_once():
    commands = re.findall(r"^make ([\w -]+)", (PROJECT / ".ci" / "run").read_text(), re.MULTILINE)
    lint, *tests = " ".join(commands).split()
    assert lint == "lint"
    assert tests == MAKEFILE["test-all"].split()


def test_the_tests_run_on_every_supported_python():
    supported = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (PROJECT / "pyproject.toml").read_text())
    assert JOBS["test"]["strategy"]["matrix"]["python"] == supported
    assert f'requires-python = ">={supported[0]}"' in (PROJECT / "pyproject.toml").read_text()
