"""stagectl reads from requirements.txt what is deployed."""

import sys

import pytest

from stagectl.packaging import PackageError, read_pins

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("requirements", "pins"),
    [
        (
            "# What ships\n\nstripe==16.1.0  # a comment\ntyping_extensions==4.16.0\n",
            ["stripe 16.1.0", "typing_extensions 4.16.0"],
        ),
        ("stripe==16.1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n", ["stripe 16.1.0"]),
        (f"a==1; python_version == '{PYTHON}'\na==2; python_version != '{PYTHON}'\n", ["a 1"]),
        ("a==1; sys_platform == 'darwin'\na==2; sys_platform == 'linux'\n", ["a 2"]),
        ("a[extra] == 1.0.post1", ["a 1.0.post1"]),
    ],
)
def test_a_pin_with_a_hash_or_a_marker_is_read(requirements: str, pins: list[str]):
    assert [" ".join(pin) for pin in read_pins(requirements)] == pins


@pytest.mark.parametrize(
    "line",
    ["stripe", "stripe>=16", "stripe==16.*", "stripe==16,!=16.1", "-r more.txt", "stripe @ https://example.com/a.whl"],
)
def test_a_line_that_pins_no_version_is_an_error_that_quotes_it(line: str):
    with pytest.raises(PackageError) as raised:
        list(read_pins(f"typing_extensions==4.16.0\n{line}\n"))
    assert f"the line {line} of requirements.txt" in raised.value.what
