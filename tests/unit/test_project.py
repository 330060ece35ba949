"""The project itself: what app.py may import, and which packages the wheel contains."""

import ast
import sys
from pathlib import Path

from tests import PROJECT

PACKAGES = {"stagectl", "stagectl/aws", "stagectl/commands", "stagectl/doctor", "stagectl/doctor/checks"}


def test_every_package_of_stagectl_is_in_the_wheel():
    packages = {file.parent.relative_to(PROJECT).as_posix() for file in (PROJECT / "stagectl").rglob("__init__.py")}
    assert packages | {"stagectl/aws"} == PACKAGES
    assert (PROJECT / "stagectl" / "aws").readlink() == Path("../chalicelib/aws")


def test_app_py_imports_chalicelib_and_stagectl_only_for_chalices_command_line():
    tree = ast.parse((PROJECT / "app.py").read_text())
    optional = [node for branch in tree.body if isinstance(branch, ast.If | ast.Try) for node in ast.walk(branch)]
    optional += [node for it in tree.body if isinstance(it, ast.FunctionDef) for node in ast.walk(it)]
    allowed = {*sys.stdlib_module_names, "chalice", "chalicelib"}
    assert {name for name in imports(tree) if name.partition(".")[0] not in allowed} <= {"stagectl.project_check"}
    at_once = [node for node in ast.walk(tree) if node not in optional]
    assert {name for node in at_once for name in _imported(node) if name.startswith("stagectl")} == set()


def imports(tree: ast.AST) -> set[str]:
    return {name for node in ast.walk(tree) for name in _imported(node)}


def _imported(node: ast.AST) -> list[str]:
    """Name the modules that a statement imports, without relative imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        # In `from package import module` the module counts, and in `from module import name` too: module.name.
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []
