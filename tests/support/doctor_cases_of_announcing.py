"""Problems of a stage's resources, webhook and configuration, and the doctor's verdict on each."""

from stagectl.doctor import runner
from tests.support.breakages import DESCRIPTION, NOTIFY, SIGNING_SECRET, no_parameter, parameter
from tests.support.breakages_of_announcing import (
    closed_to_sns,
    config_json,
    edited,
    endpoint,
    no_endpoint,
    pins,
    production_key,
    second_endpoint,
    set_for_notify,
    stack_status,
    unencrypted_topic,
    unsubscribed,
)
from tests.support.doctor_cases import AWS, DEPLOY, UP, Case

CASES = {
    "the stage is not pinned": Case(
        "account",
        pins(),
        "dev is not pinned to an account yet",
        "^stagectl stages pin --stage dev$",
        "warn",
        is_followed=True,
    ),
    "the pins are damaged": Case(
        "account", pins("damaged"), "accounts.json can't be read", "Delete it .*stagectl stages pin --stage prod$"
    ),
    "production has the example's settings": Case(
        "placeholders",
        production_key(),
        "the example's ADMIN_PHONE and CORS_ORIGIN for prod",
        "In .chalice/config.json, set .*\nstagectl deploy --stage prod$",
        "warn",
        arguments=lambda _: {"stage": "prod", "checks": runner.preflight()},
    ),
    "a policy of the repository is broken": Case(
        "roles",
        edited("policy-dev-notify.json", lambda text: text + "}"),
        ".chalice/policy-dev-notify.json can't be read",
        "^git diff .chalice/policy-dev-notify.json$",
    ),
    "the stack's update failed": Case(
        "resources", stack_status("UPDATE_FAILED"), "is UPDATE_FAILED", "^stagectl resources up --stage dev$"
    ),
    "the stack's rollback failed": Case(
        "resources",
        stack_status("UPDATE_ROLLBACK_FAILED"),
        "is UPDATE_ROLLBACK_FAILED",
        "^aws .* continue-update-rollback --stack-name notes-billing-dev && stagectl resources up --stage dev$",
    ),
    "the topic is not encrypted": Case(
        "topic",
        unencrypted_topic(),
        "NotePurchased-dev is not encrypted",
        f"^{AWS} sns set-topic-attributes .* --attribute-value alias/aws/sns$",
        "warn",
        is_followed=True,
    ),
    "notify is not subscribed": Case("subscription", unsubscribed(), f"{NOTIFY} is not subscribed.*not texted", DEPLOY),
    "notify does not let SNS invoke it": Case(
        "subscription", closed_to_sns(), f"{NOTIFY} does not let SNS invoke it.*not texted", DEPLOY
    ),
    "there is no endpoint": Case(
        "webhook", no_endpoint(), "no webhook endpoint .*no purchase is announced", UP, is_followed=True
    ),
    "the endpoint is disabled": Case("webhook", endpoint(disabled=True), "we_[A-Za-z0-9]+ is disabled", UP),
    "the endpoint points elsewhere": Case(
        "webhook",
        endpoint(url="https://old.example.com/stripe/webhook"),
        "points at https://old.example.com/stripe/webhook, not at https://.*/api/stripe/webhook",
        UP,
    ),
    "the endpoint does not receive every event": Case(
        "webhook", endpoint(enabled_events=["charge.refunded"]), "does not receive .*payment_intent.succeeded", UP
    ),
    "there are two endpoints": Case(
        "webhook", second_endpoint(), "Several webhook endpoints .* all but one are rejected: we_.*, we_", UP, "warn"
    ),
    "the signing secret is not stored": Case(
        "webhook-secret",
        no_parameter(SIGNING_SECRET),
        f"{SIGNING_SECRET} is not stored.*rejected",
        UP,
        is_followed=True,
    ),
    "the signing secret is not a SecureString": Case(
        "webhook-secret",
        parameter(SIGNING_SECRET, Type="String"),
        f"{SIGNING_SECRET} is a String",
        f"^{AWS} ssm delete-parameter --name {SIGNING_SECRET} && stagectl webhook up --stage dev$",
        is_followed=True,
    ),
    "the signing secret is of another endpoint": Case(
        "webhook-secret",
        parameter(SIGNING_SECRET, Description=DESCRIPTION + "we_old"),
        "is another endpoint's secret, so webhooks are rejected",
        UP,
    ),
    "the signing secret was stored by hand": Case(
        "webhook-secret", parameter(SIGNING_SECRET, Description=""), "stored by hand", UP, "warn"
    ),
    "config.json sets a variable that nothing reads": Case(
        "variables",
        config_json(lambda it: it["environment_variables"].update(CORS_ORIGINS="*")),
        "config.json sets CORS_ORIGINS",
        "Correct the name .*\nstagectl deploy --stage dev$",
        "warn",
    ),
    "config.json sets such a variable for notify": Case(
        "variables",
        config_json(lambda it: set_for_notify(it, FON="1")),
        "config.json sets FON",
        "Correct the name .*\nstagectl deploy --stage dev$",
        "warn",
    ),
}
