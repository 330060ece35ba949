"""Unpacks the package for the tests to run on, and says where: `make test-packaged`.

`chalice local`, which the tests talk to, needs what Lambda does not have: .chalice, the check of it, and the rest of
chalice, whose runtime in the package is the same file as the installed one.
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
    _must_be_the_same(folder / "chalice" / "app.py")
    shutil.rmtree(folder / "chalice")
    shutil.copytree(PROJECT / ".chalice", folder / ".chalice", ignore=shutil.ignore_patterns("deploy*", "accounts*"))
    shutil.copytree(PROJECT / "stagectl", folder / "stagectl", ignore=shutil.ignore_patterns("__pycache__"))
    print(folder)


def _must_be_the_same(shipped: Path) -> None:
    import chalice.app

    if shipped.read_bytes() != Path(chalice.app.__file__).read_bytes():
        raise AssertionError("the package has another chalice than .venv: make clean setup")


if __name__ == "__main__":
    main()
