"""What every route shares: reading Chalice's requests, one log line per request, and one form for every error."""

import logging
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, CORSConfig, Request, Response

from chalicelib import problems
from chalicelib.aws.secret import Secret
from chalicelib.billing.purchase_request import body_not_json
from chalicelib.config import trace_header
from chalicelib.problems import Problem
from chalicelib.telemetry import KEY_VERSION_FIELD, Telemetry

_Handler = Callable[[Any], Response]
_Middleware = Callable[[Request | None, _Handler], Response]


def read_body(request: Request) -> bytes:
    """Return a request's raw body.

    :raises Problem: ``invalid_request``: it is malformed base64 or text.
    """
    try:
        body = request.raw_body
        return body if isinstance(body, bytes) else body.encode()
    except ValueError as error:
        raise body_not_json() from error


def repeated_headers(request: Request) -> set[str]:
    """Return the names, in lower case, of headers that were sent more than once."""
    multiple = request.to_original_event().get("multiValueHeaders") or {}
    return {name.lower() for name, values in multiple.items() if len(values) > 1}


def query_values(request: Request, name: str) -> list[str]:
    """Return every value of a query parameter."""
    query = request.query_params
    return query.getlist(name) if query and name in query else []


def request_id(context: Any) -> str:
    """Return Lambda's id of an invocation, or an empty string outside Lambda."""
    return str(getattr(context, "aws_request_id", ""))


def log_line(telemetry: Telemetry, stripe_key: Secret) -> _Middleware:
    """Return a middleware that writes one log line per request, with its status and the version of the Stripe key."""

    def middleware(request: Request | None, get_response: _Handler) -> Response:
        members = {"method": request.method, "route": request.path} if request else {}
        context = getattr(request, "lambda_context", None)
        with telemetry.request(trace_header(), request_id=request_id(context), **members):
            response = get_response(request)
            telemetry.note(status=response.status_code, **{KEY_VERSION_FIELD: stripe_key.version})
            return response

    return middleware


def problem_responses(telemetry: Telemetry, cors: CORSConfig, log: logging.Logger) -> _Middleware:
    """Return a middleware that converts every error to a problem: a route's, Chalice's own, or a bug."""

    def middleware(request: Request | None, get_response: _Handler) -> Response:
        problem: Problem | None
        try:
            response = get_response(request)
            problem = problems.from_chalice(response)
        except Problem as raised:
            problem = raised
        except Exception:
            log.exception("the request failed")
            problem = problems.internal_error()
        if problem:
            for metric, dimensions in problem.metrics():
                telemetry.count(metric, dimensions=dimensions)
            cause = problem.cause if problem.status >= 500 or problem.code == "signature_invalid" else None
            telemetry.note(code=problem.code, cause=cause, payment_id=problem.members.get("payment_id"))
            response = problem.response(request_id(getattr(request, "lambda_context", None)))
            response.headers.update(cors.get_access_control_headers())
        response.headers["Cache-Control"] = "no-store"
        return response

    return middleware


def add_not_found_routes(app: Chalice, cors: CORSConfig) -> None:
    """Respond with 404 to URLs of one to four segments that have no route.

    Without a route, API Gateway and `chalice local` respond with 403 "Missing Authentication Token".
    """

    def not_found(**_segments: str) -> None:
        raise Problem("not_found", "This URL does not exist. Check the path.")

    for path in ("/{a}", "/{a}/{b}", "/{a}/{b}/{c}", "/{a}/{b}/{c}/{d}"):
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        app.route(path, methods=methods, name=f"not_found_{path.count('/')}", cors=cors)(not_found)
