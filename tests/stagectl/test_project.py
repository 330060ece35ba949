"""stagectl finds the Chalice app to operate, and works without this one's operations."""

import json
import shutil
import subprocess

import pytest

from tests.support.operator_session import Operator


def test_from_a_folder_of_the_project_the_project_is_found(operator: Operator):
    variables = {**operator.dev.environment(), "PYTHONPATH": str(operator.folder)}
    below = operator.folder / "infrastructure"
    printed = subprocess.check_output(operator.command("stages"), cwd=below, env=variables, text=True)
    assert printed == operator.does("stages")


def test_outside_a_project_the_folder_is_named(operator: Operator):
    (operator.folder / ".chalice" / "config.json").rename(operator.folder / "config.json")
    assert str(operator.folder) in operator.fails("stages")


def test_without_operations_the_core_works(operator: Operator):
    shutil.rmtree(operator.folder / "operations")
    operator.does("secrets", "put", "--stage", "dev", stdin=operator.test_key)
    (key, _) = json.loads(operator.does("secrets", "list", "--stage", "dev", "--json"))
    assert key["version"] == 1
    operator.does("secrets", "history", "--stage", "dev")
    operator.does("resources", "up", "--stage", "dev")
    assert "which version" in operator.fails("secrets", "rotate", "--stage", "dev", stdin=operator.test_key)
    assert operator.run("webhook", "up", "--stage", "dev").returncode == 2
    assert operator.stack.stripe.requests == []


@pytest.mark.parametrize("name", ["chalicelib/config.py", "operations/__init__.py"])
def test_a_module_of_the_project_that_cannot_be_imported_is_named(operator: Operator, name: str):
    with (operator.folder / name).open("a") as file:
        file.write("\nimport no_such_module\n")
    message = operator.fails("stages")
    assert str(operator.folder / name) in message
    assert "no_such_module" in message


def test_another_projects_tables_are_not_taken(operator: Operator, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other")
    (operator.folder / "chalicelib" / "config.py").unlink()
    (other / "config.py").write_text("")
    init = operator.folder / "chalicelib" / "__init__.py"
    init.write_text(f"__path__ = [{str(other)!r}]\n")
    assert str(other / "config.py") in operator.fails("stages")
