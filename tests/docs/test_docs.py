"""The commands of README and docs run as written, in their order, in the tests' cloud or against the API."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import PROJECT
from tests.support.operator_session import Operator
from tests.support.stack import PURCHASE, Api, Stack
from tests.support.stripe_client import client


def blocks_of(page: str) -> list[str]:
    """Return a page's code blocks without a language: commands, and what they print."""
    fenced = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", (PROJECT / page).read_text(), re.DOTALL | re.MULTILINE)
    return [block for language, block in fenced if not language]


def commands_of(page: str) -> list[list[str]]:
    """Return the commands in a page's code blocks, split as a shell would."""
    lines = [line.strip() for block in blocks_of(page) for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(("stagectl", "chalice", "aws"))]


def run(operator: Operator, command: list[str], *, key: str = "") -> None:
    """Run a command of a page. A prompt for a Stripe key receives ``key``, or else the stage's key."""
    program, *arguments = command
    stage = arguments[arguments.index("--stage") + 1] if "--stage" in arguments else "dev"
    if program == "stagectl":
        if arguments[0] == "--profile":  # the tests' credentials are in the environment
            arguments = arguments[2:]
        arguments = [operator.account_of(stage).id if it == "111122223333" else it for it in arguments]
        stdin = key or (operator.live_key if stage == "prod" else operator.test_key)
        operator.does(*arguments, stdin=stdin)
    elif program == "chalice":
        tool = Path(sys.executable).with_name("chalice")
        account = operator.account_of(stage).environment()
        subprocess.run([tool, *arguments], cwd=operator.folder, env=account, check=True, capture_output=True)
    else:
        operator.calls_aws(*arguments)


def follow(operator: Operator, page: str, *, key: str = "") -> None:
    for command in commands_of(page):
        if command[0] == "stagectl":
            run(operator, command, key=key)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/going-live.md"])
def test_going_live(operator: Operator, page: str):
    follow(operator, page)
    assert operator.cloud.request("GET", f"{operator.url_of('prod')}/health").json()["stage"] == "prod"


@pytest.mark.slow
def test_rotating_a_key(operator: Operator):
    operator.deploys("prod")
    new = operator.issue_key("live")
    follow(operator, "docs/rotating.md", key=new)
    operator.stack.stripe.keys.revoke(new)  # after the page's rollback, the first key is in use
    url = operator.url_of("prod")
    body = {"source": "tok_live_visa", "storage": 1}
    assert operator.cloud.request("POST", f"{url}/billing", operator.prod, json=body).status_code == 200


@pytest.mark.slow
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
    """Return the product's resources in the development account, and its webhook endpoints at Stripe."""
    of = operator.dev.client
    return {
        *(it["FunctionName"] for it in of("lambda").list_functions()["Functions"]),
        *(it["id"] for it in of("apigateway").get_rest_apis()["items"]),
        *(it["RoleName"] for it in of("iam").list_roles()["Roles"]),
        *(it["Name"] for it in of("ssm").describe_parameters()["Parameters"]),
        *(it["SubscriptionArn"] for it in of("sns").list_subscriptions()["Subscriptions"]),
        *(it.url for it in client(operator.stack.stripe, operator.test_key).webhook_endpoints.list().data),
    }


# The token of the payment that a block with this word acts on; other blocks act on a succeeded payment.
_PAYMENTS = {"authenticate": "tok_threeDSecure2Required", "settle": "tok_processing"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", ["README.md", "docs/http-api.md", "docs/running-locally.md"])
def test_every_curl_succeeds(page: str, api: Api, stack: Stack):
    """Run each block in a shell, with this run's ports, and a payment's id for pi_…."""
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
            assert _without_id_and_time(done.stdout) == _without_id_and_time(blocks[position + 1])


def _without_id_and_time(payment: str) -> str:
    """Return a response as printed, without the id and the time."""
    return re.sub(r'"pi_\w+"|"created":\d+', "", payment).strip()
