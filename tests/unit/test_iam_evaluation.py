"""The evaluator of IAM policies that judges the product's: what no statement allows is denied."""

from typing import Any

import pytest

from tests.support import iam
from tests.support.iam import ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY

TOPIC = "arn:aws:sns:us-east-1:1:T"
PUBLISH = {"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPIC}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
NO_PUBLISH = {**PUBLISH, "Effect": "Deny"}
OF_T = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:T"}}


def decided(*statements: Any, action: str = "sns:Publish", resource: str = TOPIC, context: Any = None) -> str:
    return iam.decision([{"Statement": [*statements]}], action, resource, context)


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([], IMPLICIT_DENY),
        ([PUBLISH], ALLOWED),
        ([NO_PUBLISH], EXPLICIT_DENY),
        ([EVERYTHING, NO_PUBLISH], EXPLICIT_DENY),
        ([NO_PUBLISH, EVERYTHING], EXPLICIT_DENY),
        ([EVERYTHING, {**NO_PUBLISH, "Resource": TOPIC + "2"}], ALLOWED),
    ],
)
def test_an_allow_is_required_and_a_deny_wins(statements: list[Any], decision: str):
    assert decided(*statements) == decision


def test_the_statements_of_all_policies_count():
    assert iam.decision([{"Statement": PUBLISH}, {"Statement": [NO_PUBLISH]}], "sns:Publish", TOPIC) == EXPLICIT_DENY
    assert iam.decision([{"Statement": []}, {"Statement": PUBLISH}], "sns:Publish", TOPIC) == ALLOWED


@pytest.mark.parametrize(
    ("element", "action", "matches"),
    [
        ({"Action": "sns:Publish"}, "sns:publish", True),
        ({"Action": "SNS:*"}, "sns:Publish", True),
        ({"Action": "sns:Publish"}, "sns:PublishBatch", False),
        ({"Action": ["sns:Subscribe", "sns:Publish"]}, "sns:Publish", True),
        ({"Action": "sns:P?blish"}, "sns:Publish", True),
        ({"Action": "sns:P?blish"}, "sns:Pblish", False),
        ({"Action": "sns.*"}, "sns:Publish", False),
        ({"NotAction": "iam:*"}, "sns:Publish", True),
        ({"NotAction": ["iam:*", "sns:publish"]}, "sns:Publish", False),
    ],
)
def test_an_action_has_no_case(element: dict[str, Any], action: str, matches: bool):
    assert decided({"Effect": "Allow", "Resource": "*", **element}, action=action) == (
        ALLOWED if matches else IMPLICIT_DENY
    )


@pytest.mark.parametrize(
    ("element", "resource", "matches"),
    [
        ({"Resource": "arn:aws:sns:*:*:T"}, TOPIC, True),
        ({"Resource": "arn:aws:sns:*:*:t"}, TOPIC, False),
        ({"Resource": "arn:aws:sns:*:1:T"}, "arn:aws:sns:us-east-1:12:T", False),
        ({"Resource": "arn:aws:sns:*:T"}, TOPIC, True),
        ({"Resource": "arn:aws:ssm:*:*:parameter/*"}, "arn:aws:ssm:us-east-1:1:parameter/a/b", True),
        ({"Resource": "arn:aws:logs:*:*:g:*"}, "arn:aws:logs:us-east-1:1:g:s:x", True),
        ({"Resource": "arn:aws:s3:::[b]"}, "arn:aws:s3:::b", False),
        ({"Resource": ["arn:aws:s3:::a", "arn:aws:s3:::b"]}, "arn:aws:s3:::b", True),
        ({"NotResource": "arn:aws:s3:::b"}, "arn:aws:s3:::c", True),
        ({"NotResource": "arn:aws:s3:::b"}, "arn:aws:s3:::b", False),
    ],
)
def test_a_resource_has_case_and_a_wildcard_stays_in_its_part_of_an_arn(
    element: dict[str, Any], resource: str, matches: bool
):
    decision = decided({"Effect": "Allow", "Action": "*", **element}, resource=resource)
    assert decision == (ALLOWED if matches else IMPLICIT_DENY)


@pytest.mark.parametrize(
    ("condition", "context", "is_met"),
    [
        ({"StringEquals": {"aws:x": "a"}}, {"aws:x": "a"}, True),
        ({"StringEquals": {"AWS:X": ["b", "a"]}}, {"aws:x": "a"}, True),
        ({"StringEquals": {"aws:x": "A"}}, {"aws:x": "a"}, False),
        ({"StringEquals": {"aws:x": "*"}}, {"aws:x": "a"}, False),
        ({"StringEquals": {"aws:x": "a"}}, {}, False),
        ({"StringEquals": {"aws:x": "a", "aws:y": "b"}}, {"aws:x": "a"}, False),
        ({"StringLike": {"aws:x": "a*"}}, {"aws:x": "ab"}, True),
        ({"StringEquals": {"aws:x": "a"}, "StringLike": {"aws:x": "b*"}}, {"aws:x": "a"}, False),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:*:1:T"}}, {"AWS:SourceArn": TOPIC}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:2:T"}}, {"AWS:SourceArn": TOPIC}, False),
    ],
)
def test_every_condition_must_be_met(condition: Any, context: dict[str, str], is_met: bool):
    decision = decided({**PUBLISH, "Condition": condition}, context=context)
    assert decision == (ALLOWED if is_met else IMPLICIT_DENY)
    deny = decided(EVERYTHING, {**NO_PUBLISH, "Condition": condition}, context=context)
    assert deny == (EXPLICIT_DENY if is_met else ALLOWED)


@pytest.mark.parametrize(
    "statement",
    [
        {**NO_PUBLISH, "Condition": {"StringNotEquals": {"aws:x": "a"}}},
        {**NO_PUBLISH, "Condition": {"ForAllValues:StringLike": {"aws:x": "a"}}},
        {**NO_PUBLISH, "Condition": {"Null": {"aws:x": "true"}}, "Action": "s3:*"},  # even in a statement of others
        {**NO_PUBLISH, "Resources": "*"},
        {**NO_PUBLISH, "Effect": "deny"},
        {**PUBLISH, "Resource": "arn:aws:sns:*:*:${aws:username}"},
    ],
)
def test_what_the_evaluator_does_not_know_is_an_error(statement: Any):
    with pytest.raises(iam.UnsupportedPolicyError):
        decided(EVERYTHING, statement)


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({}, True),
        ({"Principal": {"Service": "apigateway.amazonaws.com"}}, False),
        ({"Principal": {"Service": ["apigateway.amazonaws.com", "sns.amazonaws.com"]}}, True),
        ({"Effect": "Deny"}, False),
        ({"Action": "lambda:GetFunction"}, False),
        ({"Resource": "arn:aws:lambda:us-east-1:1:function:g"}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:sns:*:*:other"}}}, False),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "1"}}}, True),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "2"}}}, False),
    ],
)
def test_a_service_needs_a_statement_of_the_functions_own_policy(change: dict[str, Any], allowed: bool):
    function = "arn:aws:lambda:us-east-1:1:function:f"
    statement = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "lambda:InvokeFunction",
        "Resource": function, "Condition": OF_T, **change,
    }  # fmt: skip
    policy = {"Statement": [statement]}
    assert iam.is_allowed_for_service(policy, "sns.amazonaws.com", "lambda:InvokeFunction", function, TOPIC) is allowed
