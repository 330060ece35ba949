"""Unpacks the package for `make test-packaged`, and prints the folder.

The tests use `chalice local`, which needs files that the package lacks: .chalice, the check of it, and all of chalice.
The package's chalice/app.py is compared with the installed one.
"""

import shutil
import zipfile
from pathlib import Path

from stagectl.packaging import PROJECT, build


def main() -> None:
    folder = PROJECT / "build" / "packaged"
    package = build("dev", PROJECT / "build" / "dev")
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(package) as packed:
        packed.extractall(folder)
    _check_is_installed(folder / "chalice" / "app.py")
    shutil.rmtree(folder / "chalice")
    shutil.copytree(PROJECT / ".chalice", folder / ".chalice", ignore=shutil.ignore_patterns("deploy*", "accounts*"))
    shutil.copytree(PROJECT / "stagectl", folder / "stagectl", ignore=shutil.ignore_patterns("__pycache__"))
    print(folder)


def _check_is_installed(packaged: Path) -> None:
    import chalice.app

    if packaged.read_bytes() != Path(chalice.app.__file__).read_bytes():
        raise AssertionError("the package contains another chalice than .venv: run make clean setup")


if __name__ == "__main__":
    main()
