"""The pages, followed to the letter: operators' commands in the tests' cloud, in their order, and what curl calls."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import stripe

from tests.support.operator_session import Operator
from tests.support.stack import PROJECT, PURCHASE, Api, Stack


def blocks_of(page: str) -> list[str]:
    """A page's code blocks that name no language: what is typed into a terminal, and what it prints."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", (PROJECT / page).read_text(), re.DOTALL | re.MULTILINE)
    return [block for language, block in found if not language]


def commands_of(page: str) -> list[list[str]]:
    """The commands in a page's code blocks, as a shell would split them."""
    lines = [line.strip() for block in blocks_of(page) for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(("stagectl", "chalice", "aws"))]


def run(operator: Operator, command: list[str], *, key: str = "") -> None:
    """Run a command of a page. What asks for a Stripe key gets the stage's, or the one given."""
    program, *arguments = command
    stage = arguments[arguments.index("--stage") + 1] if "--stage" in arguments else "dev"
    if program == "stagectl":
        if arguments[0] == "--profile":  # the tests' credentials are in the environment
            arguments = arguments[2:]
        stdin = key or (operator.live_key if stage == "prod" else operator.test_key)
        operator.does(*arguments, stdin=stdin)
    elif program == "chalice":
        tool = Path(sys.executable).with_name("chalice")
        account = operator.account_of(stage).environment()
        subprocess.run([tool, *arguments], cwd=operator.folder, env=account, check=True, capture_output=True)
    else:  # AWS's own command line is not among what the project installs: its words are boto3's
        service, action, *options = arguments
        names = ["".join(word.capitalize() for word in option.strip("-").split("-")) for option in options[::2]]
        client = operator.account_of(stage).client(service)
        getattr(client, action.replace("-", "_"))(**dict(zip(names, options[1::2], strict=True)))


def follow(operator: Operator, page: str, *, key: str = "") -> list[list[str]]:
    """Run a page's stagectl commands."""
    commands = commands_of(page)
    for command in commands:
        if command[0] == "stagectl":
            run(operator, command, key=key)
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


def test_a_stage_for_a_branch_serves_beside_dev_and_is_taken_down_without_a_trace(operator_of_dev: Operator):
    operator, account = operator_of_dev, operator_of_dev.dev
    before = _deployed(operator)
    add, deploy, *down = commands_of("docs/feature-stages.md")
    run(operator, add)
    run(operator, deploy)
    url = operator.url_of("featureX")
    assert operator.cloud.request("GET", f"{url}/health").json()["stage"] == "featureX"
    assert operator.cloud.request("POST", f"{url}/billing", account, json=PURCHASE).json()["status"] == "succeeded"
    assert operator.cloud.request("GET", f"{operator.url_of('dev')}/health").json()["stage"] == "dev"
    for command in down:
        run(operator, command)
    file = operator.folder / ".chalice" / "config.json"
    project = json.loads(file.read_text())
    del project["stages"]["featureX"]
    file.write_text(json.dumps(project))
    assert _deployed(operator) == before
    operator.does("doctor", "--stage", "dev")


def _deployed(operator: Operator) -> set[str]:
    """The names of all that the development account has of the product, and Stripe of its webhook endpoints."""
    clients = {name: operator.dev.client(name) for name in ("lambda", "apigateway", "iam", "ssm", "sns")}
    client = stripe.StripeClient(operator.test_key, base_addresses={"api": operator.stack.stripe.url})
    return {
        *(it["FunctionName"] for it in clients["lambda"].list_functions()["Functions"]),
        *(it["id"] for it in clients["apigateway"].get_rest_apis()["items"]),
        *(it["RoleName"] for it in clients["iam"].list_roles()["Roles"]),
        *(it["Name"] for it in clients["ssm"].describe_parameters()["Parameters"]),
        *(it["SubscriptionArn"] for it in clients["sns"].list_subscriptions()["Subscriptions"]),
        *(it.url for it in client.v1.webhook_endpoints.list().data),
    }


# The payment that an act of a block is about; any other is about one that succeeded.
_PAYMENTS = {"authenticate": "tok_threeDSecure2Required", "settle": "tok_processing"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", ["README.md", "docs/http-api.md", "docs/running-locally.md"])
def test_what_is_called_by_curl_answers(page: str, api: Api, stack: Stack):
    """Each block in a shell, as it stands there; only the ports are those of this run, and pi_… is a payment's id."""
    blocks = blocks_of(page)
    assert "curl" in "".join(blocks)
    hosts = {"127.0.0.1:8000": api.url, "127.0.0.1:12111": stack.stripe.url, "127.0.0.1:4566": stack.aws.url}
    for position, block in enumerate(blocks):
        if "curl" not in block:
            continue
        token = next((token for act, token in _PAYMENTS.items() if act in block), "tok_visa")
        script = block.replace("http://", "").replace("curl ", "curl --silent --show-error --fail-with-body ")
        for host, url in hosts.items():
            script = script.replace(host, url)
        script = script.replace("pi_…", api.post({"source": token, "storage": 21}).json()["id"])
        done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, block + done.stdout + done.stderr
        if page == "README.md":
            assert _without_what_differs(done.stdout) == _without_what_differs(blocks[position + 1])


def _without_what_differs(payment: str) -> str:
    """An answer as it was printed, but for the id and the time."""
    return re.sub(r'"pi_\w+"|"created":\d+', "", payment).strip()


def test_pages_name_only_commands_that_there_are(operator: Operator):
    for page in ["README.md", *[f"docs/{file.name}" for file in (PROJECT / "docs").glob("*.md")]]:
        named = re.findall(r"`stagectl ((?:[a-z]+ ?){1,2})", (PROJECT / page).read_text())
        for words in {tuple(words.split()[: 2 if words.split()[0] in _GROUPS else 1]) for words in named}:
            assert operator.run(*words, "--help").returncode == 0, (page, words)


_GROUPS = {"secrets", "resources", "webhook", "stages"}
