"""Statements about the product. `PACKAGED` names the unpacked package, if they are to hold for that."""

import os
import sys
from pathlib import Path

import chalicelib

PROJECT = Path(__file__).resolve().parent.parent

# The folder of app.py and what it needs. What runs beside the app (tests, devstack, stagectl) is the project's.
APP = Path(os.environ.get("PACKAGED", PROJECT)).resolve()

if APP != PROJECT:
    if "pytest" in sys.modules:
        from stagectl import project

        # stagectl operates the checkout: it loads the checkout's modules first, and the tests import the package's.
        project.current()
        for name in [name for name in sys.modules if name.startswith("chalicelib.")]:
            vars(chalicelib).pop(name.split(".")[1], None)
            del sys.modules[name]
    chalicelib.__path__.insert(0, str(APP / "chalicelib"))
