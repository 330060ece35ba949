"""The billing service: a function a route, and one for the topic. What they mean is in chalicelib, and in docs/."""

import gc

gc.disable()  # until all is imported: it finds next to nothing meanwhile, and takes a tenth of a cold start

import hashlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypedDict

from chalicelib import __version__
from chalicelib.aws.credentials import read_network
from chalicelib.aws.secret import Secret
from chalicelib.config import ConfigError, load, trace_header
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.telemetry import JsonHandler, Telemetry

try:
    config = load()
    if config.on_chalice_cli:
        from stagectl import project_check

        project_check.check()
except ConfigError as error:
    sys.exit(f"notes-billing: {error}")

logging.basicConfig(handlers=[JsonHandler()], level=logging.WARNING, force=True)
telemetry = Telemetry(config.stage, config.xray_daemon)


@contextmanager
def _watched(renewal: bool) -> Iterator[None]:
    telemetry.count("KeyRereads" if renewal else "KeyReads")
    with telemetry.subsegment("SSM", "aws", operation="GetParameter"):
        yield


stripe_key = Secret(
    config.parameter("stripe-key"), validate=partial(config.validate, "stripe-key"), around_read=_watched
)
to_stripe = stripe_connection(read_network(), config.stripe_api_base)
# Chalice imports this file on the deployer's machine too, and notify needs no key: nothing is read there.
if config.serves_api and not config.on_chalice_cli:
    stripe_key.start()
    to_stripe.open()

# These take as long to import as the key and the connection take to arrive.
from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Request, Response, SNSEvent

from chalicelib.aws.sns import PublishError
from chalicelib.billing import pricing, purchase_request
from chalicelib.billing.payments import Payments
from chalicelib.events import notification, purchase_event
from chalicelib.events.webhook import Receipt, verify_webhook
from chalicelib.problems import Problem, of_chalice

webhook_secret = Secret(
    config.parameter("webhook-secret"), validate=partial(config.validate, "webhook-secret"), around_read=_watched
)
payments = Payments(config, stripe_key, to_stripe, telemetry)
publisher = notification.Publisher(config.note_purchased_topic)
app = Chalice(app_name="notes-billing", configure_logs=False)
app.api.binary_types = []  # all is JSON: API Gateway need not encode, nor Chalice look for it in every answer
signed = IAMAuthorizer()
cors = CORSConfig(
    allow_origin=config.cors_origin,
    allow_headers=["Idempotency-Key"],
    expose_headers=["Idempotency-Key", "Retry-After"],
    max_age=600,
)


class Health(TypedDict):
    """The state of health: ``status`` is always ok, since whoever can't answer does not."""

    status: str
    stage: str
    version: str


@app.route("/billing", methods=["POST"], authorizer=signed, cors=cors)
def charge() -> dict[str, Any]:
    request = _request()
    purchase = purchase_request.parse_purchase(_body(request), request.headers, _repeated_headers(request))
    hashed = hashlib.sha256(purchase.idempotency_key.encode()).hexdigest()[:16]
    telemetry.note(idempotency_key_hash=hashed)
    return _shown(payments.charge(purchase, _caller(request)))


@app.route("/billing/{payment_id}", methods=["GET"], authorizer=signed, cors=cors)
def payment(payment_id: str) -> dict[str, Any]:
    return _shown(payments.find(payment_id, _caller(_request())))


@app.route("/billing/quote", methods=["GET"], cors=cors)
def quote() -> pricing.Quote:
    given = _request().query_params
    storage = purchase_request.parse_quote_storage(given.getlist("storage") if given and "storage" in given else [])
    return {"storage": storage, "amount": pricing.amount(storage), "currency": config.currency}


@app.route("/stripe/webhook", methods=["POST"])
def webhook() -> Receipt:
    request = _request()
    event = verify_webhook(_body(request), request.headers.get("stripe-signature"), webhook_secret)
    telemetry.note(stripe_event=event.get("id"), stripe_event_type=event["type"])
    try:
        announced = purchase_event.from_stripe_event(event, config.stage)
        if announced:
            telemetry.note(payment_id=announced.payment_id)
            with telemetry.subsegment("SNS", "aws", operation="Publish"):
                publisher.announce(announced, getattr(request.lambda_context, "invoked_function_arn", ""))
    except (purchase_event.EventError, PublishError) as error:
        detail = "The event was not passed on. Send it again."
        raise Problem("announcement_failed", detail, retry_after=5, cause=str(error)) from error
    if announced and announced.event == "note_purchased":
        telemetry.count("Purchases")
        telemetry.count("Amount", announced.amount, "None")
    return {"announced": announced.event if announced else None}


@app.route("/health", methods=["GET"], cors=cors)
def health() -> Health:
    return {"status": "ok", "stage": config.stage, "version": __version__}


def not_found(**_segments: str) -> None:
    raise Problem("not_found", "No such address. docs/http-api.md has those of this API.")


# Without a route of ours, API Gateway and `chalice local` answer 403 "Missing Authentication Token".
for _path in ("/{a}", "/{a}/{b}", "/{a}/{b}/{c}", "/{a}/{b}/{c}/{d}"):
    app.route(
        _path, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], name=f"not_found_{_path.count('/')}", cors=cors
    )(not_found)


@app.on_sns_message(topic=config.note_purchased_topic)
def notify(event: SNSEvent) -> None:
    """Text the admin's phone. What can't be read is let go; what was not sent is raised, so that Lambda repeats it."""
    with telemetry.request(trace_header(), route="notify", request_id=_request_id(event.context)):
        try:
            told = purchase_event.parse(event.message)
        except purchase_event.EventError as error:
            telemetry.count("NotifyUnreadable")
            telemetry.note(unreadable=str(error))
            return
        telemetry.note(payment_id=told.payment_id)
        if told.stage != config.stage:
            return  # the stages of branches share dev's topic, and each has a notify
        try:
            with telemetry.subsegment("SNS", "aws", operation="Publish"):
                publisher.text(config.admin_phone, notification.sms_text(told))
        except PublishError as error:
            telemetry.count("NotifyFailures")
            telemetry.note(cause=str(error))
            raise


@app.middleware("http")
def one_line_a_request(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """Write what became of a request, whoever answered it."""
    about = {"method": request.method, "route": request.path} if request else {}
    with telemetry.request(trace_header(), request_id=_request_id(getattr(request, "lambda_context", None)), **about):
        response = get_response(request)
        telemetry.note(status=response.status_code, key_version=stripe_key.version)
        return response


@app.middleware("http")
def problems_for_errors(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """Give every error the one form, whoever made it: a route, Chalice, or a bug."""
    problem: Problem | None
    try:
        response = get_response(request)
        problem = of_chalice(response)
    except Problem as raised:
        problem = raised
    except Exception:
        app.log.exception("the request failed")
        problem = Problem("internal_error", "The error was logged; the request_id finds it.")
    if problem:
        for metric, dimensions in problem.metrics():
            telemetry.count(metric, dimensions=dimensions)
        cause = problem.cause if problem.status >= 500 or problem.code == "signature_invalid" else None
        telemetry.note(code=problem.code, cause=cause, payment_id=problem.members.get("payment_id"))
        response = problem.response(_request_id(getattr(request, "lambda_context", None)))
        response.headers.update(cors.get_access_control_headers())
    response.headers["Cache-Control"] = "no-store"
    return response


def _request() -> Request:
    request = app.current_request
    assert request is not None  # Chalice sets it before it calls a route
    return request


def _request_id(context: Any) -> str:
    return str(getattr(context, "aws_request_id", ""))


def _caller(request: Request) -> str:
    return purchase_request.identify_caller(request.context.get("identity"), on_chalice_cli=config.on_chalice_cli)


def _body(request: Request) -> bytes:
    try:
        body = request.raw_body
        return body if isinstance(body, bytes) else body.encode()
    except ValueError as error:  # base64 or text that is none
        raise purchase_request.body_not_json() from error


def _repeated_headers(request: Request) -> set[str]:
    multiple = request.to_original_event().get("multiValueHeaders") or {}
    return {name.lower() for name, values in multiple.items() if len(values) > 1}


def _shown(payment: Any) -> dict[str, Any]:
    telemetry.note(payment_id=payment.id, payment_status=payment.status)
    return {name: value for name, value in vars(payment).items() if value is not None}


# What was imported stays, so it need not be looked through for garbage with each collection.
gc.freeze()
gc.enable()

if config.serves_api and not config.on_chalice_cli:  # Lambda freezes the sandbox after this, with what is on its way
    stripe_key.wait()
    to_stripe.wait()
