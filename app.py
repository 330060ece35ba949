"""The billing API, a function a route. What a request means is in chalicelib; docs/http-api.md has the contract."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Request, Response

from chalicelib import __version__
from chalicelib.config import ConfigError, load
from chalicelib.parameter_store import Parameter

try:
    config = load()
    if config.on_chalice_cli:
        from chalicelib import project

        project.check()
except ConfigError as error:
    sys.exit(f"notes-billing: {error}")

stripe_key = Parameter(config.stripe_key_parameter, check=config.key_misfit)
if not config.on_chalice_cli:  # Chalice imports this file on the deployer's machine too: nothing is read there
    stripe_key.start()

# These take as long to import as the key takes to arrive.
from chalicelib import pricing, requests  # noqa: E402
from chalicelib.payments import Payments  # noqa: E402
from chalicelib.problems import Problem, of_chalice  # noqa: E402

app = Chalice(app_name="notes-billing")
payments = Payments(config, stripe_key)
signed = IAMAuthorizer()
cors = CORSConfig(
    allow_origin=config.cors_origin,
    allow_headers=["Idempotency-Key"],
    expose_headers=["Idempotency-Key", "Retry-After"],
    max_age=600,
)


@app.route("/billing", methods=["POST"], authorizer=signed, cors=cors)
def charge() -> dict[str, Any]:
    request = _request()
    purchase = requests.purchase(_body(request), request.headers, _repeated_headers(request))
    caller = requests.caller(request.context.get("identity"), on_chalice_cli=config.on_chalice_cli)
    payment = payments.charge(purchase, caller)
    return {name: value for name, value in asdict(payment).items() if value is not None}


@app.route("/billing/quote", methods=["GET"], cors=cors)
def quote() -> dict[str, Any]:
    given = _request().query_params
    storage = requests.quoted_storage(given.getlist("storage") if given and "storage" in given else [])
    return {"storage": storage, "amount": pricing.amount(storage), "currency": config.currency}


@app.route("/health", methods=["GET"], cors=cors)
def health() -> dict[str, str]:
    return {"status": "ok", "stage": config.stage, "version": __version__}


def not_found(**_segments: str) -> None:
    raise Problem("not_found", "No such address. The API's are /billing, /billing/quote and /health.")


# Without a route of ours, API Gateway and `chalice local` answer 403 "Missing Authentication Token".
for _depth in range(1, 5):
    _path = "".join(f"/{{segment{number}}}" for number in range(_depth))
    app.route(_path, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], name=f"not_found_{_depth}", cors=cors)(
        not_found
    )


@app.middleware("http")
def problems_for_errors(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """Give every error the one form, whoever made it: a route, Chalice, or a bug."""
    request_id = getattr(getattr(request, "lambda_context", None), "aws_request_id", "")
    problem: Problem | None
    try:
        response = get_response(request)
        problem = of_chalice(response)
    except Problem as raised:
        problem = raised
    except Exception:
        app.log.exception("request %s failed", request_id)
        problem = Problem("internal_error", "The error was logged; the request_id finds it.")
    if problem:
        if problem.status >= 500 and problem.cause:
            app.log.error("request %s: %s: %s", request_id, problem.code, " ".join(problem.cause.split()))
        response = problem.response(request_id)
        response.headers.update(cors.get_access_control_headers())
    response.headers["Cache-Control"] = "no-store"
    return response


def _request() -> Request:
    request = app.current_request
    assert request is not None  # Chalice sets it before it calls a route
    return request


def _body(request: Request) -> bytes:
    try:
        body = request.raw_body
        return body if isinstance(body, bytes) else body.encode()
    except ValueError as error:  # base64 or text that is none
        raise requests.not_json() from error


def _repeated_headers(request: Request) -> set[str]:
    multiple = request.to_original_event().get("multiValueHeaders") or {}
    return {name.lower() for name, values in multiple.items() if len(values) > 1}


if not config.on_chalice_cli:
    stripe_key.settle()  # Lambda freezes the sandbox after this line, with whatever is on its way
