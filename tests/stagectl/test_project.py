"""stagectl finds the Chalice app to operate, and needs nothing of this one."""

import ast
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.operator_session import Operator
from tests.support.stack import PROJECT


def imports_of(source: Path) -> set[str]:
    """The top-level packages that a file imports."""
    nodes = list(ast.walk(ast.parse(source.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("source", sorted((PROJECT / "stagectl").rglob("*.py")), ids=lambda file: file.stem)
def test_stagectl_imports_nothing_of_the_app_and_no_stripe(source: Path):
    assert imports_of(source) & {"chalicelib", "operations", "stripe", "devstack", "app"} == set()


def test_from_a_folder_of_the_project_the_project_is_found(operator: Operator):
    variables = {**operator.dev.environment(), "PYTHONPATH": str(operator.folder)}
    done = subprocess.run(
        operator.command("stages"),
        cwd=operator.folder / "infrastructure",
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == operator.does("stages"), done.stderr


def test_outside_a_project_the_folder_is_named(operator: Operator):
    (operator.folder / ".chalice" / "config.json").rename(operator.folder / "config.json")
    said = operator.fails("stages")
    assert f"No Chalice project was found: neither {operator.folder} nor a folder above it contains" in said
    assert "Change to the project's folder" in said


def test_without_operations_the_core_works(operator: Operator):
    shutil.rmtree(operator.folder / "operations")
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    (key, _) = json.loads(operator.does("secrets", "list", "--stage", "dev", "--json"))
    assert key["version"] == 1
    operator.does("secrets", "history", "--stage", "dev")
    operator.does("resources", "up", "--stage", "dev")
    assert "stagectl cannot find out which version" in operator.fails(
        "secrets", "rotate", "--stage", "dev", stdin=operator.test_key
    )
    assert operator.run("webhook", "up", "--stage", "dev").returncode == 2
    assert operator.stack.stripe.requests == []


@pytest.mark.parametrize("name", ["chalicelib/config.py", "operations/__init__.py"])
def test_a_module_of_the_project_that_cannot_be_imported_is_named(operator: Operator, name: str):
    with (operator.folder / name).open("a") as file:
        file.write("\nimport no_such_module\n")
    said = operator.fails("stages")
    assert f"{operator.folder / name} cannot be imported: No module named 'no_such_module'." in said


def test_another_projects_tables_are_not_taken(operator: Operator, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other")
    (operator.folder / "chalicelib" / "config.py").unlink()
    (other / "config.py").write_text("")
    init = operator.folder / "chalicelib" / "__init__.py"
    init.write_text(f"__path__ = [{str(other)!r}]\n")
    assert f"chalicelib.config was imported from {other / 'config.py'}, not from" in operator.fails("stages")
