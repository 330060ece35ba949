"""Statements about the product. `PACKAGED` names the unpacked package, if they are to hold for that."""

import os
from pathlib import Path

import chalicelib

PROJECT = Path(__file__).resolve().parent.parent

# Where app.py and what it needs are. What runs beside the app - tests, devstack, chalice - is the project's.
APP = Path(os.environ.get("PACKAGED", PROJECT)).resolve()

if APP != PROJECT:
    chalicelib.__path__.insert(0, str(APP / "chalicelib"))
