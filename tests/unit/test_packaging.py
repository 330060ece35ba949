"""What the deployment package is made of: the app's sources, and distributions as they were installed."""

import hashlib
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from operations import PACKAGE_DATA, PACKAGE_EXCLUDES
from stagectl.packaging import PackageError, files_of_app, files_of_distribution, selection

REPORTS = "chalicelib/billing/reports/"


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def packed(project: Path, *data: str) -> set[str]:
    return {name for name, _ in files_of_app(project, selection(data, ()))}


def test_a_subpackage_is_packed_with_its_declared_data(tmp_path: Path):
    names = {"app.py", f"{REPORTS}__init__.py", f"{REPORTS}monthly.py", f"{REPORTS}rates.json"}
    assert packed(make(tmp_path, *names), f"{REPORTS}rates.json") == names


def test_a_data_file_that_is_not_declared_is_an_error(tmp_path: Path):
    make(tmp_path, "chalicelib/.DS_Store", "chalicelib/__pycache__/config.cpython-312.pyc")
    assert packed(tmp_path) == {"app.py"}
    make(tmp_path, f"{REPORTS}rates.json")
    with pytest.raises(PackageError, match=f"{REPORTS}rates.json"):
        packed(tmp_path)


def test_nothing_beside_app_py_and_chalicelib_is_packed(tmp_path: Path):
    others = ("stagectl/cli.py", "operations/smoke.py", "devstack/x.py", "tests/test_x.py", "conftest.py", "key.txt")
    assert packed(make(tmp_path, "chalicelib/config.py", *others)) == {"app.py", "chalicelib/config.py"}


def test_of_stripe_python_only_what_a_request_needs_is_packed():
    needed = ["stripe/_payment_intent.py", "stripe/data/ca-certificates.crt", "stripe/_stripe_service.py"]
    others = ["stripe/params/_charge.py", "stripe/billing/_meter_service.py", "stripe/py.typed"]
    assert list(filter(selection(PACKAGE_DATA, PACKAGE_EXCLUDES), needed + others)) == needed


def install(folder: Path, wheel: str = "Root-Is-Purelib: true") -> Path:
    """Install version 1.2 of the distribution `thing` in a folder."""
    information = (
        make(folder, "thing/__init__.py", "thing/notes.txt", "thing-1.2.dist-info/RECORD") / "thing-1.2.dist-info"
    )
    source = b"VALUE = 1\n"
    (folder / "thing" / "__init__.py").write_bytes(source)
    digest = urlsafe_b64encode(hashlib.sha256(source).digest()).decode().rstrip("=")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.2\n")
    (information / "WHEEL").write_text(f"Wheel-Version: 1.0\n{wheel}\n")
    record = f"thing/__init__.py,sha256={digest},{len(source)}\nthing/notes.txt,,\n../../../bin/thing.py,,\n"
    (information / "RECORD").write_text(record)
    return folder


def files_of_thing(site_packages: Path, version: str = "1.2") -> dict[str, Path]:
    return dict(files_of_distribution("thing", version, selection((), ()), site_packages))


def test_of_a_distribution_its_sources_are_packed_and_no_script(tmp_path: Path):
    assert files_of_thing(install(tmp_path)) == {"thing/__init__.py": tmp_path / "thing" / "__init__.py"}


def test_a_file_that_was_changed_after_its_installation_is_an_error(tmp_path: Path):
    (install(tmp_path) / "thing" / "__init__.py").write_bytes(b"VALUE = 2\n")
    with pytest.raises(PackageError, match=r"thing/__init__\.py") as raised:
        files_of_thing(tmp_path)
    assert raised.value.command == "make clean setup"


@pytest.mark.parametrize(("folder", "installed"), [(".", "1.2"), ("empty", "none")])
def test_another_version_or_none_is_an_error(tmp_path: Path, folder: str, installed: str):
    with pytest.raises(PackageError, match=f"thing 1.3 is required, but {installed} ") as raised:
        files_of_thing(install(tmp_path) / folder, "1.3")
    assert raised.value.command == "make setup"


@pytest.mark.parametrize("wheel", ["Root-Is-Purelib: false", ""])
def test_a_distribution_that_is_not_pure_python_is_an_error(tmp_path: Path, wheel: str):
    with pytest.raises(PackageError, match="thing is not pure Python"):
        files_of_thing(install(tmp_path, wheel))
