"""`make test-packaged` runs all tests on the files of the package: the API, the containers, and the tests' imports."""

import subprocess
import sys
from pathlib import Path

from chalicelib.billing import payments
from tests import APP
from tests.support.stack import Stack


def test_the_tests_run_on_the_packaged_files(stack: Stack):
    program = "import app, chalicelib.billing.payments as payments; print(app.__file__, payments.__file__, sep='\\n')"
    environment = {**stack.environment(), "AWS_CHALICE_CLI_MODE": "true"}
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=APP, env=environment, check=True, capture_output=True, text=True
    ).stdout
    files = [Path(line) for line in [*output.splitlines(), str(payments.__file__)]]
    assert files == [APP / "app.py", *[APP / "chalicelib" / "billing" / "payments.py"] * 2]
