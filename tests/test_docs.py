"""The pages for operators, followed to the letter: their commands, in their order, in the tests' cloud."""

import re
import shlex

import pytest

from tests.operator import Operator
from tests.support import PROJECT


def commands_of(page: str) -> list[list[str]]:
    """The commands in a page's code blocks, as a shell would split them."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```", (PROJECT / page).read_text(), re.DOTALL | re.MULTILINE)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(("stagectl", "chalice", "aws"))]


def follow(operator: Operator, page: str, *, key: str = "") -> list[list[str]]:
    """Run a page's stagectl commands. What asks for a Stripe key gets the stage's, or the one given."""
    commands = commands_of(page)
    for _, *arguments in [command for command in commands if command[0] == "stagectl"]:
        if arguments[0] == "--profile":  # the tests' credentials are in the environment
            arguments = arguments[2:]
        stage = arguments[arguments.index("--stage") + 1] if "--stage" in arguments else "dev"
        stdin = key or (operator.live_key if stage == "prod" else operator.test_key)
        operator.does(*arguments, stdin=stdin)
    return commands


@pytest.mark.parametrize("page", ["README.md", "docs/going-live.md"])
def test_going_live(operator: Operator, page: str):
    follow(operator, page)
    assert operator.cloud.request("GET", f"{operator.url_of('prod')}/health").json()["stage"] == "prod"


def test_rotating_a_key(operator: Operator):
    operator.deploys("prod")
    new = operator.issue_key("live")
    assert len(follow(operator, "docs/rotating.md", key=new)) == 4
    operator.stack.stripe.keys.revoke(new)  # the page's rollback brought the first key back
    url = operator.url_of("prod")
    body = {"source": "tok_live_visa", "storage": 1}
    assert operator.cloud.request("POST", f"{url}/billing", operator.prod, json=body).status_code == 200


def test_a_stage_for_a_branch(operator_of_dev: Operator):
    commands = follow(operator_of_dev, "docs/feature-stages.md")
    assert ["chalice", "delete", "--stage", "featureX"] in commands
    assert operator_of_dev.does("stages", "--json").count('"featureX"') == 1


def test_pages_name_only_commands_that_there_are(operator: Operator):
    for page in ["README.md", *[f"docs/{file.name}" for file in (PROJECT / "docs").glob("*.md")]]:
        named = re.findall(r"`stagectl ((?:[a-z]+ ?){1,2})", (PROJECT / page).read_text())
        for words in {tuple(words.split()[: 2 if words.split()[0] in _GROUPS else 1]) for words in named}:
            assert operator.run(*words, "--help").returncode == 0, (page, words)


_GROUPS = {"secrets", "resources", "webhook", "stages"}
