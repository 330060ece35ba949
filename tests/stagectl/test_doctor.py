"""`stagectl doctor`: what is broken has its line, with what to do, and nothing else has."""

import re

import pytest

from stagectl.doctor import runner
from tests.support import doctor_cases, doctor_cases_of_announcing
from tests.support.doctor import EVERYTHING, call_aws, findings, follow, wrong
from tests.support.doctor_cases import Case
from tests.support.operator_session import Operator

CASES = {**doctor_cases.CASES, **doctor_cases_of_announcing.CASES}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_broken_has_its_line_and_its_remedy(operator_of_dev: Operator, case: Case):
    with case.breaks(operator_of_dev):
        found = wrong(operator_of_dev, **case.seen(operator_of_dev))
        assert set(found) == {case.check}
        finding = found[case.check]
        assert finding.level == case.level
        assert re.search(case.says, finding.text), finding.text
        assert re.search(case.remedy, finding.remedy), finding.remedy
        if case.followed:
            follow(operator_of_dev, finding.remedy, stdin=operator_of_dev.issue_key("test"))
            assert wrong(operator_of_dev) == {}


def test_every_check_is_among_these():
    assert {case.check for case in CASES.values()} == {*runner.GATES, *EVERYTHING} - {"throughput"}


def test_a_dev_that_was_just_deployed_is_well(operator_of_dev: Operator):
    found = findings(operator_of_dev)
    assert [it.check for it in found] == [*runner.GATES, *EVERYTHING]
    assert [it.check for it in found if it.level != "ok"] == ["throughput"]


def test_the_default_throughput_is_told_and_the_remedy_raises_it(operator_of_dev: Operator):
    (told,) = [it for it in findings(operator_of_dev) if it.level == "warn"]
    assert "40 reads a second" in told.text
    assert "the last purchase is answered after 8 s" in told.text
    follow(operator_of_dev, told.remedy)
    try:
        assert {it.level for it in findings(operator_of_dev)} == {"ok"}
    finally:
        setting = re.findall(r"--setting-id (\S+)", told.remedy)
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
def test_what_the_operator_may_not_look_at_is_said_once_and_is_no_failure(
    operator_of_dev: Operator, action: str, check: str
):
    with doctor_cases.denied(action)(operator_of_dev):
        told = [it for it in findings(operator_of_dev) if it.text.startswith("It could not be checked")]
    assert [(it.check, it.level) for it in told] == [(check, "warn")]
    assert f"may not do {action}" in told[0].text
    assert "administrator" in told[0].remedy
