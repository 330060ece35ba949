"""The billing service: one function for all routes, and one that receives the topic's messages."""

# ---------------------------------------------------------------------------------------------------------------------
# The order in this file is the order of a cold start. The read of the Stripe key and the connection to Stripe are
# started first, and run beside the slow imports below. They must have ended when this file does: Lambda freezes the
# sandbox then, and a request under way would resume with an expired signature.
# ---------------------------------------------------------------------------------------------------------------------

import gc

gc.disable()  # during the imports: a collection finds next to nothing, and takes a tenth of a cold start

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypedDict

from chalicelib import __version__, key_formats
from chalicelib import config as app_config
from chalicelib.aws.credentials import read_network
from chalicelib.aws.secret import Secret
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.telemetry import JsonHandler, Redactor, Telemetry

try:
    config = app_config.load()
    if config.on_chalice_cli:
        from stagectl import project_check

        if problem := project_check.find_problem(app_config):
            raise app_config.ConfigError(problem)
except app_config.ConfigError as error:
    sys.exit(f"notes-billing: {error}")

redactor = Redactor(key_formats.SENSITIVE)
logging.basicConfig(handlers=[JsonHandler(redactor)], level=logging.WARNING, force=True)
telemetry = Telemetry(config.stage, redactor, config.xray_daemon)


@contextmanager
def _observe_read(is_refresh: bool) -> Iterator[None]:
    telemetry.count("KeyRereads" if is_refresh else "KeyReads")
    with telemetry.subsegment("SSM", "aws", operation="GetParameter"):
        yield


def _secret(name: str) -> Secret:
    return Secret(config.parameter(name), validate=partial(config.validate, name), around_read=_observe_read)


stripe_key, webhook_secret = _secret("stripe-key"), _secret("webhook-secret")
stripe_http = stripe_connection(read_network(), config.stripe_api_base)


def begin_cold_start() -> None:
    """Start the read of the Stripe key and the connection to Stripe, beside the imports that follow.

    Not on the deployer's machine, where Chalice imports this file too, and not for `notify`, which reads no secret.
    """
    if config.serves_api and not config.on_chalice_cli:
        stripe_key.start()
        stripe_http.open()


def finish_cold_start() -> None:
    """Wait for what :func:`begin_cold_start` started, and turn the garbage collector on again."""
    gc.freeze()  # what was imported stays, so that no collection looks through it
    gc.enable()
    if config.serves_api and not config.on_chalice_cli:
        stripe_key.wait()
        stripe_http.wait()


begin_cold_start()

from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Request, SNSEvent

from chalicelib import chalice_http
from chalicelib.billing import pricing, purchase_request
from chalicelib.billing.payments import Payments
from chalicelib.events.notification import Notifier
from chalicelib.events.webhook import Receipt, verify_webhook
from chalicelib.stripe_client.api import StripeApi

stripe_api = StripeApi(stripe_key, stripe_http, config.stripe_api_base, telemetry)
payments = Payments(config, stripe_api, telemetry)
notifier = Notifier(config, telemetry)
app = Chalice(app_name="notes-billing", configure_logs=False)
app.api.binary_types = []  # every response is JSON: neither API Gateway nor Chalice needs to look for binary ones
iam = IAMAuthorizer()
cors = CORSConfig(
    allow_origin=config.cors_origin,
    allow_headers=["Idempotency-Key"],
    expose_headers=["Idempotency-Key", "Retry-After"],
    max_age=600,
)


class Health(TypedDict):
    """The response of GET /health. ``status`` is always ``ok``: an unhealthy service does not respond."""

    status: str
    stage: str
    version: str


@app.route("/billing", methods=["POST"], authorizer=iam, cors=cors)
def charge() -> dict[str, Any]:
    request = _request()
    body, repeated = chalice_http.read_body(request), chalice_http.repeated_headers(request)
    purchase = purchase_request.parse_purchase(body, request.headers, repeated)
    return payments.charge(purchase, _caller(request)).to_json()


@app.route("/billing/{payment_id}", methods=["GET"], authorizer=iam, cors=cors)
def payment(payment_id: str) -> dict[str, Any]:
    return payments.retrieve(payment_id, _caller(_request())).to_json()


@app.route("/billing/quote", methods=["GET"], cors=cors)
def quote() -> pricing.Quote:
    storage = purchase_request.parse_quote_storage(chalice_http.query_values(_request(), "storage"))
    return {"storage": storage, "amount": pricing.calculate_amount(storage), "currency": config.currency}


@app.route("/stripe/webhook", methods=["POST"])
def webhook() -> Receipt:
    request = _request()
    event = verify_webhook(chalice_http.read_body(request), request.headers.get("stripe-signature"), webhook_secret)
    function_arn = getattr(request.lambda_context, "invoked_function_arn", "")
    return {"announced": notifier.announce(event, function_arn)}


@app.route("/health", methods=["GET"], cors=cors)
def health() -> Health:
    return {"status": "ok", "stage": config.stage, "version": __version__}


@app.on_sns_message(topic=config.note_purchased_topic)
def notify(event: SNSEvent) -> None:
    """Text the admin's phone about a purchase, a refund or a dispute."""
    request_id = chalice_http.request_id(event.context)
    with telemetry.request(app_config.trace_header(), route="notify", request_id=request_id):
        notifier.text_admin(event.message)


chalice_http.add_not_found_routes(app, cors)
app.register_middleware(chalice_http.log_line(telemetry, stripe_key), "http")
app.register_middleware(chalice_http.problem_responses(telemetry, cors, app.log), "http")


def _request() -> Request:
    request = app.current_request
    assert request is not None  # Chalice sets it before it calls a route
    return request


def _caller(request: Request) -> str:
    return purchase_request.identify_caller(request.context.get("identity"), on_chalice_cli=config.on_chalice_cli)


finish_cold_start()
