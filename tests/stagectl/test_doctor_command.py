"""`stagectl doctor` on the command line: lines, JSON, exit codes, and what there is to say before anything is asked."""

import json
import re

import pytest

from chalicelib.config import load
from stagectl.commands.doctor import CONFIGURATION
from stagectl.doctor import runner
from stagectl.doctor.checks.configuration import READ
from tests.support.breakages import configured, revoked_key
from tests.support.breakages_of_announcing import config_json, edited
from tests.support.doctor import EVERYTHING, findings
from tests.support.operator_session import Operator
from tests.support.stack import PROJECT

NAMES = [*runner.GATES, *EVERYTHING]


def told(operator: Operator, *arguments: str, **environment: str):
    """The doctor's JSON, and its exit code."""
    done = operator.run(*arguments, "doctor", "--stage", "dev", "--json", **environment)
    return json.loads(done.stdout), done.returncode


def test_a_line_for_each_check_in_order_and_beneath_it_what_to_do(operator_of_dev: Operator):
    said = operator_of_dev.does("doctor", "--stage", "dev")
    lines = re.findall(r"^(\S) (\S+) +(\S.*)$", said, re.MULTILINE)
    assert [name for _, name, _ in lines] == NAMES
    assert [(mark, name) for mark, name, _ in lines if mark != "✓"] == [("!", "throughput")]
    assert said.splitlines()[-1].startswith("    If such bursts come")


def test_json_says_the_same_and_warnings_are_no_failure(operator_of_dev: Operator):
    answer, code = told(operator_of_dev)
    assert (answer["stage"], answer["ok"], code) == ("dev", True, 0)
    assert [it["check"] for it in answer["checks"]] == NAMES
    assert answer["checks"] == [vars(it) for it in findings(operator_of_dev)]


def test_a_failure_is_in_the_exit_code(operator_of_dev: Operator):
    with revoked_key()(operator_of_dev):
        said = operator_of_dev.fails("doctor", "--stage", "dev")
        assert re.search(
            r"✗ key-accepted +Stripe does not accept .*\n    Make a new one .*: stagectl secrets rotate", said
        )
    with configured(Timeout=3)(operator_of_dev):
        answer, code = told(operator_of_dev)
    assert (answer["ok"], code) == (False, 1)


@pytest.mark.parametrize(
    ("change", "says", "remedy"),
    [
        (
            config_json(lambda it: it["environment_variables"].update(ADMIN_PHONE="sk_test_inthefile")),
            "environment_variables.ADMIN_PHONE: that is a secret",
            "Take it out, .*: stagectl secrets put --stage dev$",
        ),
        (edited("config.json", lambda text: text[:-9]), "config.json can't be read", "git diff .chalice/config.json$"),
        (config_json(lambda it: it.update(autogen_policy=True)), "autogen_policy must be false", "git diff"),
        (config_json(lambda it: it["stages"].pop("dev")), "no stage 'dev'", "stagectl stages add NAME"),
    ],
    ids=["a secret", "no JSON", "a mistake", "no such stage"],
)
def test_config_json_is_looked_at_before_anybody_is_asked(operator_of_dev: Operator, change, says: str, remedy: str):
    with change(operator_of_dev):
        answer, code = told(operator_of_dev)
    (finding,) = answer["checks"]
    assert (finding["check"], answer["ok"], code) == (CONFIGURATION, False, 1)
    assert says in finding["text"]
    assert "sk_test_" not in finding["text"]
    assert re.search(remedy, finding["remedy"])


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"STRIPE_API_BASE": "http://stripe.example.com"}, "STRIPE_API_BASE is"),
        ({"AWS_PROFILE": "nobody"}, "profile (nobody) could not be found"),
    ],
)
def test_so_is_the_shell(operator_of_dev: Operator, environment: dict[str, str], says: str):
    answer, code = told(operator_of_dev, **environment)
    assert [it["check"] for it in answer["checks"]] == [CONFIGURATION]
    assert says in answer["checks"][0]["text"]
    assert answer["checks"][0]["remedy"]
    assert code == 1


def test_without_credentials_nothing_else_is_asked(operator_of_dev: Operator):
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    said = operator_of_dev.fails("doctor", "--stage", "dev", **nobody)
    assert re.fullmatch(r"✗ credentials +It could .* There are no AWS credentials\.\n    Sign in again .*\n", said)


def test_a_profile_that_was_chosen_is_in_the_remedies(operator_of_dev: Operator, tmp_path):
    key = operator_of_dev.dev.key
    (tmp_path / "credentials").write_text(
        f"[night shift]\naws_access_key_id={key.access_key_id}\naws_secret_access_key={key.secret_access_key}\n"
    )
    with configured(Timeout=3)(operator_of_dev):
        answer, _ = told(
            operator_of_dev, "--profile", "night shift", AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials")
        )
    remedies = {it["check"]: it["remedy"] for it in answer["checks"] if it["remedy"]}
    assert remedies["limits"] == "stagectl --profile 'night shift' deploy --stage dev"
    assert "aws --profile 'night shift' --region us-east-1 ssm" in remedies["throughput"]


def test_the_page_has_each_line_of_the_doctor():
    page = (PROJECT / "docs" / "doctor.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == [CONFIGURATION, *NAMES]


def test_the_variables_that_may_be_set_are_those_that_are_read():
    asked = set()

    class Environment(dict[str, str]):
        def __contains__(self, name: object) -> bool:
            asked.add(name)
            return super().__contains__(name)

        def get(self, name: str, default=None):
            asked.add(name)
            return super().get(name, default)

    load(Environment())
    of_others = {"_HANDLER", "AWS_CHALICE_CLI_MODE", "AWS_XRAY_DAEMON_ADDRESS"}  # Lambda's and Chalice's
    assert asked - of_others - READ == set()
