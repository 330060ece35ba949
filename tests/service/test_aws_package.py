"""The package `chalicelib/aws` alone, in another Chalice app: it needs nothing else of this project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import APP
from tests.support.stack import TEST_PARAMETER, Stack

PROGRAM = f"""\
import importlib, pkgutil, sys
from chalicelib import aws
from chalicelib.aws.secret import Secret
for module in pkgutil.iter_modules(aws.__path__):
    importlib.import_module(f"chalicelib.aws.{{module.name}}")
key = Secret("{TEST_PARAMETER}")
key.start()
key.wait()
print(aws.__path__[0], "boto3" in sys.modules, key.get().reveal())
"""


@pytest.mark.parametrize("through_sdk", [False, True])
def test_a_copy_in_another_app_reads_a_secure_string(stack: Stack, tmp_path: Path, through_sdk: bool):
    copy = tmp_path / "chalicelib" / "aws"
    shutil.copytree(APP / "chalicelib" / "aws", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "chalicelib" / "__init__.py").touch()
    environment = stack.aws.environment() | ({"AWS_CHALICE_CLI_MODE": "true"} if through_sdk else {})
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [os.fspath(copy), str(through_sdk), stack.key], done.stderr
    assert stack.reads() == 1


def test_no_package_imports_anything_by_itself():
    packages = list((APP / "chalicelib").glob("*/__init__.py"))
    assert len(packages) >= 4
    assert [file.read_text() for file in packages] == [""] * len(packages)
