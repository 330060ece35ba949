"""Unpacks the package for `make test-packaged`: whatever process runs the app in the tests then runs these files.

`chalice local` needs what is never deployed, too: the check of .chalice/config.json, and all of Chalice.
"""

import shutil
import sys
import zipfile
from pathlib import Path

from stagectl.package import prepare
from tests.support import PROJECT


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(prepare()) as package:
        package.extractall(folder)
    shutil.rmtree(folder / "chalice")
    shutil.copy(PROJECT / "chalicelib" / "project.py", folder / "chalicelib")
    shutil.copytree(PROJECT / ".chalice", folder / ".chalice", ignore=shutil.ignore_patterns("deploy*"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
