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


LOGS, SECRETS = "arn:aws:logs:us-east-1:1:g:s:x", "arn:aws:ssm:us-east-1:1:parameter/a/b"


@pytest.mark.parametrize(
    ("element", "action", "resource", "matches"),
    [
        ({"Action": "sns:Publish"}, "sns:publish", TOPIC, True),
        ({"Action": "SNS:*"}, "sns:Publish", TOPIC, True),
        ({"Action": ["sns:Subscribe", "sns:Publish"]}, "sns:Publish", TOPIC, True),
        ({"Action": "sns:P?blish"}, "sns:Publish", TOPIC, True),
        ({"Resource": "arn:aws:sns:*:*:T"}, "sns:Publish", TOPIC, True),
        ({"Resource": "arn:aws:sns:us-*t-1:?:T"}, "sns:Publish", TOPIC, True),
        ({"Resource": "arn:aws:sns:*:T"}, "sns:Publish", TOPIC, True),  # a `*` before a colon may match one
        ({"Resource": "arn:aws:ssm:*:*:parameter/*"}, "ssm:GetParameter", SECRETS, True),
        ({"Resource": "arn:aws:logs:*:*:g:*"}, "logs:PutLogEvents", LOGS, True),
        ({"Resource": ["arn:aws:s3:::a", "arn:aws:s3:::b"]}, "s3:GetObject", "arn:aws:s3:::b", True),
        ({"Action": "sns:Publish"}, "sns:PublishBatch", TOPIC, False),
        ({"Action": "sns:P?blish"}, "sns:Pblish", TOPIC, False),
        ({"Action": "sns.*"}, "sns:Publish", TOPIC, False),
        ({"Resource": "arn:aws:sns:*:*:t"}, "sns:Publish", TOPIC, False),  # only actions have no case
        ({"Resource": "arn:aws:sns:*:1:T"}, "sns:Publish", "arn:aws:sns:us-east-1:12:T", False),
        ({"Resource": "arn:aws:sns:us*1:T"}, "sns:Publish", TOPIC, False),
        ({"Resource": "arn:aws:sns:us-east-1?1:T"}, "sns:Publish", TOPIC, False),
        ({"Resource": "arn:aws:s3:::[b]"}, "s3:GetObject", "arn:aws:s3:::b", False),
    ],
)
def test_a_statement_allows_what_its_patterns_match(element: dict[str, Any], action: str, resource: str, matches: bool):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", **element}
    assert decided(statement, action=action, resource=resource) == (ALLOWED if matches else IMPLICIT_DENY)


@pytest.mark.parametrize(
    ("condition", "context", "is_met"),
    [
        ({"StringEquals": {"aws:x": "a"}}, {"aws:x": "a"}, True),
        ({"StringEquals": {"AWS:X": ["b", "a"]}}, {"aws:x": "a"}, True),
        ({"StringEquals": {"aws:x": "A"}}, {"aws:x": "a"}, False),
        ({"StringEquals": {"aws:x": "*"}}, {"aws:x": "a"}, False),
        ({"StringEquals": {"aws:x": "a"}}, {}, False),
        ({"StringEquals": {"aws:x": "a", "aws:y": "b"}}, {"aws:x": "a"}, False),
        ({"StringEquals": {"aws:x": "a"}, "ArnLike": {"aws:x": "b*"}}, {"aws:x": "a"}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:T"}}, {"AWS:SourceArn": TOPIC}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:2:T"}}, {"AWS:SourceArn": TOPIC}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:T"}}, {"AWS:SourceArn": TOPIC}, False),
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
        {**NO_PUBLISH, "Condition": {"Null": {"aws:x": "true"}}, "Action": "s3:*"},  # even in a statement of others
        {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"},
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
        ({"Effect": "Deny"}, False),
        ({"Resource": "arn:aws:lambda:us-east-1:1:function:g"}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:sns:*:*:other"}}}, False),
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
