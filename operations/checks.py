"""The doctor's checks of this app, by the name that begins each line, in order."""

from dataclasses import replace

from operations import stripe_key_checks, topic_checks, webhook_checks
from stagectl import stages
from stagectl.doctor.checks import functions
from stagectl.doctor.context import CheckContext, Verdict, ok, warn

_PLACEHOLDERS = {"ADMIN_PHONE": "+14151234567", "CORS_ORIGIN": "https://notes.example.com"}
_HIGH_THROUGHPUT = "/ssm/parameter-store/high-throughput-enabled"


def placeholders(context: CheckContext) -> Verdict:
    """Check that a live stage does not use the phone and site that the repository came with."""
    variables = stages.chalice_config(context.target.stage).environment_variables
    unchanged = [name for name, value in _PLACEHOLDERS.items() if variables.get(name) == value]
    if context.config.livemode and unchanged:
        return warn(
            f"config.json has the example's {' and '.join(unchanged)} for {context.target.stage}.",
            "In .chalice/config.json, set ADMIN_PHONE to the phone that receives the texts and CORS_ORIGIN to your "
            "site. Then deploy:",
            context.stagectl("deploy"),
        )
    return ok(f"Texts go to {context.config.admin_phone}; browsers: {context.config.cors_origin}.")


def environment_secrets(context: CheckContext) -> Verdict | None:
    """Make the core's check. Only a new endpoint, which a deploy makes, gives a new signing secret."""
    verdict, exposed = functions.secrets(context), functions.exposed_secrets(context).values()
    if verdict is None or not exposed or not all("whsec_" in value for value in exposed):
        return verdict
    return replace(verdict, command=f"{context.stagectl('webhook down')} && {context.stagectl('deploy')}")


def throughput(context: CheckContext) -> Verdict:
    """Check whether a burst of cold starts meets Parameter Store's default limit."""
    setting = context.target.client("ssm").get_service_setting(SettingId=_HIGH_THROUGHPUT)["ServiceSetting"]
    if setting["SettingValue"] == "true":
        return ok("Parameter Store allows high throughput: thousands of cold starts per second.")
    return warn(
        # Measured: docs/fleet.md.
        "Parameter Store allows 40 reads per second in this account and region: of 200 containers that start within a "
        "second, the last purchase gets its response after 8 s; of 1,000 within ten seconds, after 21 s.",
        "If you expect such bursts, raise the limit (AWS charges for it):",
        context.aws(f"ssm update-service-setting --setting-id {_HIGH_THROUGHPUT} --setting-value true"),
    )


CHECKS = {
    "preflight": {
        "placeholders": placeholders,
        "key-stored": stripe_key_checks.stored,
        "key-encrypted": stripe_key_checks.encrypted,
        "key-mode": stripe_key_checks.mode,
        "key-accepted": stripe_key_checks.accepted,
        "key-permissions": stripe_key_checks.permissions,
    },
    "after": {
        "environment-secrets": environment_secrets,
        "key-readable": stripe_key_checks.readable,
        "resources": topic_checks.resources,
        "topic": topic_checks.topic,
        "subscription": topic_checks.subscription,
        "webhook": webhook_checks.webhook,
        "webhook-secret": webhook_checks.webhook_secret,
        "throughput": throughput,
    },
}
