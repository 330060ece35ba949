"""The billing service: one function for all routes, and one that receives the topic's messages."""

# ---------------------------------------------------------------------------------------------------------------------
# The order of this file is the order of a cold start, and decides how long one takes:
#   1. settings   2. start the read of the Stripe key and the connection to Stripe   3. slow imports, meanwhile
#   4. routes     5. wait for the read and the connection
# Both must finish before this module ends. Lambda then freezes the sandbox, and an unfinished read of Parameter Store
# would resume with an expired signature.
# ---------------------------------------------------------------------------------------------------------------------

import gc

gc.disable()  # a collection frees almost nothing during imports: docs/performance.md

import logging
import sys
from functools import partial
from typing import Any, TypedDict

from chalicelib import __version__, config, key_formats
from chalicelib.aws.credentials import read_network
from chalicelib.aws.secret import Secret
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.telemetry import JsonHandler, Redactor, Telemetry

try:
    stage = config.load()
except config.ConfigError as error:
    sys.exit(f"notes-billing: {error}")

if stage.on_chalice_cli:  # chalice deploy, package and local
    from stagectl import project_check

    if problem := project_check.find_problem(config):
        sys.exit(f"notes-billing: {problem}")

redactor = Redactor(key_formats.SENSITIVE)
logging.basicConfig(handlers=[JsonHandler(redactor)], level=logging.WARNING, force=True)
telemetry = Telemetry(stage.stage, redactor, stage.xray_daemon)
stripe_key, webhook_secret = (
    Secret(stage.parameter(name), validate=partial(stage.validate, name), around_read=telemetry.secret_read)
    for name in ("stripe-key", "webhook-secret")
)
stripe_http = stripe_connection(read_network(), stage.stripe_api_base)


def begin_cold_start() -> None:
    """Start the read of the Stripe key and the connection to Stripe, in the background.

    Does nothing under Chalice's CLI, which imports this file too, and in `notify`, which reads no secret. Under
    `chalice local` the first purchase reads the key.
    """
    if stage.serves_api and not stage.on_chalice_cli:
        stripe_key.start()
        stripe_http.open()


def finish_cold_start() -> None:
    """Enable the garbage collector again, and wait for the read and the connection."""
    gc.freeze()  # later collections skip the imported modules
    gc.enable()
    if stage.serves_api and not stage.on_chalice_cli:
        stripe_key.wait()
        stripe_http.wait()


begin_cold_start()

# The slow imports. The read runs meanwhile: do not move them up.
from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Request, SNSEvent

from chalicelib import chalice_http
from chalicelib.billing import pricing, purchase_request
from chalicelib.billing.payments import Payments
from chalicelib.events.notification import Notifier
from chalicelib.events.webhook import Receipt, verify_webhook
from chalicelib.stripe_client.api import StripeApi

stripe_api = StripeApi(stripe_key, stripe_http, stage.stripe_api_base, telemetry)
payments = Payments(stage, stripe_api, telemetry)
notifier = Notifier(stage, telemetry)
app = Chalice(app_name="notes-billing", configure_logs=False)
app.api.binary_types = []  # every response is JSON: neither API Gateway nor Chalice needs to look for binary ones
iam = IAMAuthorizer()
cors = CORSConfig(
    allow_origin=stage.cors_origin,
    allow_headers=["Idempotency-Key"],
    expose_headers=["Idempotency-Key", "Retry-After"],
    max_age=600,
)


class Health(TypedDict):
    """The response of GET /health. ``status`` is always ``ok``, and says nothing of the Stripe key."""

    status: str
    stage: str
    version: str


@app.route("/billing", methods=["POST"], authorizer=iam, cors=cors)
def charge() -> dict[str, Any]:
    request = _request()
    body = chalice_http.read_body(request)
    purchase = purchase_request.parse_purchase(body, request.headers, chalice_http.repeated_headers(request))
    return payments.charge(purchase, _caller(request)).to_json()


@app.route("/billing/{payment_id}", methods=["GET"], authorizer=iam, cors=cors)
def payment(payment_id: str) -> dict[str, Any]:
    return payments.retrieve(payment_id, _caller(_request())).to_json()


@app.route("/billing/quote", methods=["GET"], cors=cors)
def quote() -> pricing.Quote:
    storage = purchase_request.parse_quote_storage(chalice_http.query_values(_request(), "storage"))
    return {"storage": storage, "amount": pricing.calculate_amount(storage), "currency": stage.currency}


@app.route("/stripe/webhook", methods=["POST"])
def webhook() -> Receipt:
    request = _request()
    event = verify_webhook(chalice_http.read_body(request), request.headers.get("stripe-signature"), webhook_secret)
    function_arn = getattr(request.lambda_context, "invoked_function_arn", "")
    return {"announced": notifier.announce(event, function_arn)}


@app.route("/health", methods=["GET"], cors=cors)
def health() -> Health:
    return {"status": "ok", "stage": stage.stage, "version": __version__}


@app.on_sns_message(topic=stage.note_purchased_topic)
def notify(event: SNSEvent) -> None:
    """Text the admin's phone about a purchase, a refund or a dispute."""
    request_id = chalice_http.request_id(event.context)
    with telemetry.request(config.trace_header(), route="notify", request_id=request_id):
        notifier.text_admin(event.message)


chalice_http.add_not_found_routes(app, cors)
# The first one runs outermost: the log line has the status that the second one decides.
app.register_middleware(chalice_http.log_line(telemetry, stripe_key), "http")
app.register_middleware(chalice_http.problem_responses(telemetry, cors, app.log), "http")


def _request() -> Request:
    request = app.current_request
    assert request is not None  # Chalice sets it before it calls a route
    return request


def _caller(request: Request) -> str:
    return purchase_request.identify_caller(request.context.get("identity"), on_chalice_cli=stage.on_chalice_cli)


finish_cold_start()
