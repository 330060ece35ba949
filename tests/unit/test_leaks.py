"""The search for keys and personal data after a run finds what was planted, and proves nothing without input."""

import re
from pathlib import Path

import pytest

from tests.support import leaks

# Not written out, so that the search of this project's files finds no key of a run here.
KEYS = [f"{prefix}_{'0123456789abcdef' * 2}" for prefix in ("sk_test", "sk_live", "rk_test", "rk_live", "whsec")]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", ["{}", "a line\nkey={}&b=1\n", '{{"a": "{}"}}', "Authorization: Bearer {}", "{}_more"])
def test_a_planted_key_is_found_with_its_place_and_is_not_quoted(key: str, text: str):
    (leak,) = leaks.find_keys({"log": ["nothing here"], "response": ["", text.format(key)]}, KEYS)
    assert leak.startswith("response: ")
    assert key not in leak


def test_a_key_of_another_run_and_the_beginning_of_a_key_are_no_leak():
    assert leaks.find_keys({"log": [f"sk_test_{'0' * 24} {KEYS[0][:12]} …{KEYS[0][-4:]}"]}, KEYS) == []


@pytest.mark.parametrize(
    ("texts", "keys"), [({"log": []}, KEYS), ({}, KEYS), ({"log": ["a"]}, []), ({"log": ["a"]}, ["pk"])]
)
def test_without_texts_or_recognizable_keys_the_search_is_an_error(texts, keys):
    with pytest.raises(ValueError, match=r"nothing to search|not recognized"):
        leaks.find_keys(texts, keys)


PERSONAL = "tok_visa pm_1AbC ctoken_1AbC pi_1_secret_2 whsec_abc sk_test_abc a.b@c.example us-east-1:abc"


@pytest.mark.parametrize("personal", PERSONAL.split())
def test_personal_data_in_a_log_is_found(personal: str):
    assert leaks.find_personal_data(["x\n", f"caller {personal}, 200"]) == [personal]
    assert leaks.find_personal_data([f"caller {re.sub('[a-zA-Z]', '*', personal)} pi_1_*** us-east-1:0a"]) == []


def test_files_at_every_depth_are_searched_but_not_those_of_tools(tmp_path: Path):
    for name in ("a.log", ".chalice/b", "build/dev/c.txt", ".venv/d", ".git/e", "build/bench/f"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)
    assert sorted(leaks.files(tmp_path)) == ["a.log", "b", "c.txt"]
