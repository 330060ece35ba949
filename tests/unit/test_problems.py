"""Every error response has the form of RFC 9457, whether the app, Chalice or a bug made it."""

import pytest
from chalice.app import Response

from chalicelib.problems import PROBLEMS, Problem, from_chalice, internal_error, invalid_request


def test_a_problem_is_a_response_with_its_status_code_id_and_headers():
    problem = Problem("rate_limited", "Wait.", code="too_many", retry_after=5, allow="GET", cause="secret", a=1, b=None)
    response = problem.response("request-1")
    title = PROBLEMS["rate_limited"][1]
    urn = "urn:problem-type:notes-billing:too_many"
    members = {"type": urn, "title": title, "status": 429, "detail": "Wait.", "code": "too_many", "a": 1}
    assert (response.status_code, response.body) == (429, members | {"request_id": "request-1"})
    assert response.headers == {"Content-Type": "application/problem+json", "Retry-After": "5", "Allow": "GET"}


def test_an_invalid_request_names_its_fields():
    problem = invalid_request(("storage", "is missing"), ("source", "is unknown"))
    assert [error["field"] for error in problem.members["errors"]] == ["storage", "source"]
    assert problem.detail == "storage is missing; source is unknown."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (405, {"Code": "MethodNotAllowedError"}, "method_not_allowed"),
        (415, {"Code": "UnsupportedMediaType"}, "unsupported_media_type"),
        (400, {"Code": "BadRequestError"}, "internal_error"),
        (500, {"Code": "InternalServerError"}, "internal_error"),
        (400, {"code": "invalid_request"}, None),
        (400, "text", None),
        (200, {"Code": "fields of a response"}, None),
    ],
)
def test_chalices_own_errors_become_problems(status, body, kind):
    problem = from_chalice(Response(body, status_code=status, headers={"Allow": "GET"}))
    assert (problem.kind if problem else None) == kind
    assert status != 405 or problem.headers == {"Allow": "GET"}
    assert (internal_error().status, internal_error().kind) == (500, "internal_error")
