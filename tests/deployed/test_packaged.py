"""`make test-packaged` runs all tests on the files of the package: the API, containers, and what is imported here."""

import subprocess
import sys
from pathlib import Path

from chalicelib.billing import payments
from tests import APP
from tests.support.stack import Stack


def test_what_is_tested_is_the_app_that_is_meant(stack: Stack):
    program = "import app, chalicelib.billing.payments as payments; print(app.__file__, payments.__file__, sep='\\n')"
    environment = {**stack.environment(), "AWS_CHALICE_CLI_MODE": "true"}
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=APP, env=environment, check=True, capture_output=True, text=True
    ).stdout
    files = [Path(line) for line in [*said.splitlines(), str(payments.__file__)]]
    assert files == [APP / "app.py", *[APP / "chalicelib" / "billing" / "payments.py"] * 2]
