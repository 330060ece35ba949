"""`stagectl doctor` on the command line: lines, JSON, exit codes, and an invalid configuration."""

import json
import re

import pytest

from chalicelib.config import VARIABLES, load
from stagectl.commands.doctor import CONFIGURATION
from stagectl.doctor import runner
from tests.support.breakages import configured, revoked_key
from tests.support.breakages_of_announcing import config_json, edited
from tests.support.doctor import ALL_CHECKS, run_doctor
from tests.support.operator_session import Operator
from tests.support.stack import PROJECT

GIT_DIFF = "git diff .chalice/config.json"
NAMES = [*runner.GATES, *ALL_CHECKS]


def json_report(operator: Operator, *arguments: str, **environment: str):
    """Return the doctor's JSON and its exit code."""
    done = operator.run(*arguments, "doctor", "--stage", "dev", "--json", **environment)
    return json.loads(done.stdout), done.returncode


def test_each_check_has_a_line_in_order_with_the_remedy_beneath(operator_of_dev: Operator):
    output = operator_of_dev.does("doctor", "--stage", "dev")
    lines = re.findall(r"^(\S) (\S+) +(\S.*)$", output, re.MULTILINE)
    assert [name for _, name, _ in lines] == NAMES
    assert [(mark, name) for mark, name, _ in lines if mark != "✓"] == [("!", "throughput")]
    remedy, command = output.splitlines()[-2:]
    assert remedy == "    If you expect such bursts, raise the limit (AWS charges for it):"
    assert command.startswith("    aws --region us-east-1 ssm update-service-setting")


def test_json_has_the_same_and_a_warning_is_not_a_failure(operator_of_dev: Operator):
    report, code = json_report(operator_of_dev)
    assert (report["stage"], report["ok"], code) == ("dev", True, 0)
    assert [it["check"] for it in report["checks"]] == NAMES
    assert report["checks"] == [vars(it) for it in run_doctor(operator_of_dev)]


def test_a_failure_sets_the_exit_code(operator_of_dev: Operator):
    with revoked_key()(operator_of_dev):
        output = operator_of_dev.fails("doctor", "--stage", "dev")
        assert re.search(
            r"✗ key-accepted +Stripe does not accept .*\n    Create a new key .*\n    stagectl secrets rotate", output
        )
    with configured(Timeout=3)(operator_of_dev):
        report, code = json_report(operator_of_dev)
    assert (report["ok"], code) == (False, 1)


@pytest.mark.parametrize(
    ("change", "text", "remedy", "command"),
    [
        (
            config_json(lambda it: it["environment_variables"].update(ADMIN_PHONE="sk_test_inthefile")),
            "environment_variables.ADMIN_PHONE: that is a secret",
            "Remove it and revoke it, .* Then store a new one:",
            "stagectl secrets put --stage dev",
        ),
        (
            edited("config.json", lambda text: text[:-9]),
            "config.json, line 34, column 4: invalid JSON",
            "Fix this.",
            GIT_DIFF,
        ),
        (
            config_json(lambda it: it.update(autogen_policy=True)),
            ", autogen_policy (a stage that is not declared, api_handler): must be",
            "Fix this",
            GIT_DIFF,
        ),
        (
            config_json(lambda it: it["stages"].pop("dev")),
            "no stage 'dev'",
            "case-sensitive",
            "stagectl stages add featureX",
        ),
    ],
    ids=["a secret", "invalid JSON", "a mistake", "no such stage"],
)
def test_an_invalid_config_json_stops_every_other_check(
    operator_of_dev: Operator, change, text: str, remedy: str, command: str
):
    with change(operator_of_dev):
        report, code = json_report(operator_of_dev)
    (verdict,) = report["checks"]
    assert (verdict["check"], report["ok"], code) == (CONFIGURATION, False, 1)
    assert text in verdict["text"]
    assert "sk_test_" not in verdict["text"]
    assert re.search(remedy, verdict["remedy"])
    assert verdict["command"] == command


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"STRIPE_API_BASE": "http://stripe.example.com"}, "STRIPE_API_BASE is"),
        ({"AWS_PROFILE": "nobody"}, "profile (nobody) could not be found"),
    ],
)
def test_so_does_an_invalid_variable_of_the_shell(operator_of_dev: Operator, environment: dict[str, str], text: str):
    report, code = json_report(operator_of_dev, **environment)
    assert [it["check"] for it in report["checks"]] == [CONFIGURATION]
    assert text in report["checks"][0]["text"]
    assert report["checks"][0]["remedy"]
    assert code == 1


def test_missing_credentials_stop_every_other_check(operator_of_dev: Operator):
    missing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    output = operator_of_dev.fails("doctor", "--stage", "dev", **missing)
    assert re.fullmatch(
        r"✗ credentials +It could .* There are no AWS credentials\.\n    Sign in again .*\n", output, re.DOTALL
    )


def test_a_chosen_profile_is_in_the_commands(operator_of_dev: Operator, tmp_path):
    key = operator_of_dev.dev.key
    (tmp_path / "credentials").write_text(
        f"[night shift]\naws_access_key_id={key.access_key_id}\naws_secret_access_key={key.secret_access_key}\n"
    )
    with configured(Timeout=3)(operator_of_dev):
        report, _ = json_report(
            operator_of_dev, "--profile", "night shift", AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials")
        )
    commands = {it["check"]: it["command"] for it in report["checks"]}
    assert commands["limits"] == "stagectl --profile 'night shift' deploy --stage dev"
    assert "aws --profile 'night shift' --region us-east-1 ssm" in commands["throughput"]


def test_the_page_has_every_line_of_the_doctor():
    page = (PROJECT / "docs" / "doctor.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == [CONFIGURATION, *NAMES]


def test_the_variables_that_may_be_set_are_those_that_the_app_reads():
    names = set()

    class Environment(dict[str, str]):
        def __contains__(self, name: object) -> bool:
            names.add(name)
            return super().__contains__(name)

        def get(self, name: str, default=None):
            names.add(name)
            return super().get(name, default)

    load(Environment())
    set_by_lambda_or_chalice = {"_HANDLER", "AWS_CHALICE_CLI_MODE", "AWS_XRAY_DAEMON_ADDRESS"}
    assert names - set_by_lambda_or_chalice == VARIABLES
