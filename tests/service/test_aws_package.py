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
from chalice import Chalice
from chalicelib.aws.secret import Secret
app, key = Chalice(app_name="other"), Secret("{TEST_PARAMETER}")
"""

READ = """\
import importlib, pkgutil, sys
import app
from chalicelib import aws
for module in pkgutil.iter_modules(aws.__path__):
    importlib.import_module(f"chalicelib.aws.{module.name}")
app.key.start()
app.key.wait()
print(aws.__path__[0], "boto3" in sys.modules, app.key.get().reveal())
"""


@pytest.mark.parametrize("through_sdk", [False, True])
def test_a_copy_in_an_empty_chalice_app_reads_a_secure_string(stack: Stack, tmp_path: Path, through_sdk: bool):
    copy = tmp_path / "chalicelib" / "aws"
    shutil.copytree(APP / "chalicelib" / "aws", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "chalicelib" / "__init__.py").touch()
    (tmp_path / "app.py").write_text(PROGRAM)
    environment = stack.aws.environment() | ({"AWS_CHALICE_CLI_MODE": "true"} if through_sdk else {})
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", READ], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [os.fspath(copy), str(through_sdk), stack.key], done.stderr
    assert stack.reads() == 1


def test_its_packages_import_nothing_by_themselves():
    packages = list((APP / "chalicelib").glob("*/__init__.py"))
    assert len(packages) >= 4
    assert [file.read_text() for file in packages] == [""] * len(packages)
