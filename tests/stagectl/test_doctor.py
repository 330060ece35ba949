"""`stagectl doctor`: each problem has one line with a remedy, and no other line changes."""

import re

import pytest

from stagectl.doctor import runner
from tests.support import doctor_cases, doctor_cases_of_announcing
from tests.support.doctor import ALL_CHECKS, advice, call_aws, follow, problems, run_doctor
from tests.support.doctor_cases import Case
from tests.support.operator_session import Operator

CASES = {**doctor_cases.CASES, **doctor_cases_of_announcing.CASES}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_problem_has_one_line_with_its_remedy(operator_of_dev: Operator, case: Case):
    with case.breakage(operator_of_dev):
        reported = problems(operator_of_dev, **case.arguments(operator_of_dev))
        assert set(reported) == {case.check}
        verdict = reported[case.check]
        assert verdict.level == case.level
        assert re.search(case.text, verdict.text), verdict.text
        assert re.search(case.advice, advice(verdict), re.MULTILINE | re.DOTALL), advice(verdict)
        if case.is_followed:
            follow(operator_of_dev, verdict.command, stdin=operator_of_dev.issue_key("test"))
            assert problems(operator_of_dev) == {}


def test_every_check_has_a_case():
    assert {case.check for case in CASES.values()} == {*runner.GATES, *ALL_CHECKS} - {"throughput"}


def test_a_dev_that_was_just_deployed_is_healthy(operator_of_dev: Operator):
    verdicts = run_doctor(operator_of_dev)
    assert [it.check for it in verdicts] == [*runner.GATES, *ALL_CHECKS]
    assert [it.check for it in verdicts if it.level != "ok"] == ["throughput"]


def test_the_default_throughput_is_a_warning_and_its_remedy_raises_it(operator_of_dev: Operator):
    (warning,) = [it for it in run_doctor(operator_of_dev) if it.level == "warn"]
    assert "40 reads per second" in warning.text
    assert "the last purchase gets its response after 8 s" in warning.text
    follow(operator_of_dev, warning.command)
    try:
        assert {it.level for it in run_doctor(operator_of_dev)} == {"ok"}
    finally:
        setting = re.findall(r"--setting-id (\S+)", warning.command)
        call_aws(
            operator_of_dev.dev, ["--region", "us-east-1", "ssm", "reset-service-setting", "--setting-id", *setting]
        )


@pytest.mark.parametrize(
    ("action", "check"),
    [
        ("ssm:DescribeParameters", "key-stored"),
        ("lambda:GetFunctionConfiguration", "deployed"),
        ("apigateway:GET", "deployed"),
        ("iam:GetRole", "roles"),
        ("iam:ListRolePolicies", "roles"),
        ("iam:SimulatePrincipalPolicy", "key-readable"),
        ("cloudformation:DescribeStacks", "resources"),
        ("sns:GetTopicAttributes", "topic"),
        ("sns:ListSubscriptionsByTopic", "subscription"),
        ("lambda:GetPolicy", "subscription"),
        ("ssm:GetServiceSetting", "throughput"),
    ],
)
def test_a_missing_permission_of_the_operator_is_one_warning(operator_of_dev: Operator, action: str, check: str):
    with doctor_cases.denied(action)(operator_of_dev):
        unchecked = [it for it in run_doctor(operator_of_dev) if it.text.startswith("It could not be checked")]
    assert [(it.check, it.level) for it in unchecked] == [(check, "warn")]
    assert f"are not allowed to do {action}" in unchecked[0].text
    assert "administrator" in unchecked[0].remedy
