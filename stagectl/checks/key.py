"""The stage's Stripe key: in Parameter Store, at Stripe, and for the function's role."""

import json

from stagectl import stripe_account
from stagectl.ages import age
from stagectl.checks import iam
from stagectl.checks.examined import Examined, Finding
from stagectl.errors import Failure

_HIGH_THROUGHPUT = "/ssm/parameter-store/high-throughput-enabled"


def stored(examined: Examined) -> Finding:
    """Check that the parameter exists."""
    name, key = examined.config.stripe_key_parameter, examined.key
    if key is None:
        return Finding("key-stored", "fail", f"{name} is not stored.", _put(examined))
    return Finding("key-stored", "ok", f"{name} is version {key.number}, stored {age(key.modified)} by {key.who}.")


def secure_string(examined: Examined) -> Finding | None:
    """Check that the parameter is encrypted."""
    name, key = examined.config.stripe_key_parameter, examined.key
    if key is None:
        return None
    if key.type != "SecureString":
        return Finding(
            "key-encrypted",
            "fail",
            f"{name} is a {key.type}, which whoever lists parameters can read.",
            f"Make a new key at Stripe, `aws ssm delete-parameter --name {name}`, then {_put(examined)}",
        )
    return Finding("key-encrypted", "ok", f"{name} is a SecureString ({key.kms_key or 'alias/aws/ssm'}).")


def mode(examined: Examined) -> Finding | None:
    """Check that the key's mode, live or test, is the stage's."""
    if examined.key is None:
        return None
    if examined.key.secret is None:
        return Finding(
            "key-mode",
            "warn",
            "These credentials may not decrypt the key, so it was not checked.",
            "Run the doctor with credentials that may ssm:GetParameter, or trust the function, which checks it too.",
        )
    misfit = examined.config.key_misfit(examined.key.secret.reveal())
    if misfit:
        return Finding("key-mode", "fail", f"The stored key {misfit}.", _put(examined))
    return Finding("key-mode", "ok", f"The stored key is a {'live' if examined.config.livemode else 'test'} key.")


def accepted(examined: Examined) -> Finding | None:
    """Check that Stripe accepts the key."""
    if examined.usable_key is None:
        return None
    try:
        stripe_account.verify(examined.config, examined.usable_key)
    except Failure:
        return Finding(
            "key-accepted",
            "fail",
            "Stripe does not accept the stored key: it was revoked, or mistyped.",
            f"Make a new one at Stripe, then stagectl secrets rotate --stage {examined.target.stage}",
        )
    return Finding("key-accepted", "ok", "Stripe accepts the stored key.")


def permissions(examined: Examined) -> Finding | None:
    """Check that the key, if it is a restricted one, may do what the API does."""
    key = examined.usable_key
    if key is None:
        return None
    missing = stripe_account.missing_permissions(examined.config, key)
    if missing:
        return Finding(
            "key-permissions",
            "fail",
            "The restricted key lacks "
            + " and ".join(f"{lack.name} (for {lack.needed_for})" for lack in missing)
            + ".",
            "Edit the key in Stripe's dashboard, Developers, API keys; nothing needs to be deployed.",
        )
    if key.reveal().startswith("sk_"):
        return Finding("key-permissions", "ok", "The key may do everything; a restricted key would do with less.")
    return Finding("key-permissions", "ok", "The restricted key may charge and look up payments.")


def readable(examined: Examined) -> Finding | None:
    """Check, by IAM's own simulation, that the function's role may read and decrypt both secrets."""
    function = examined.api_function
    if function is None or examined.key is None:
        return None
    arn = iam.parameter_arn(examined.target, examined.config.stripe_key_parameter)
    secret = iam.parameter_arn(examined.target, examined.config.webhook_secret_parameter)
    denied = iam.denied(examined.target, function.role_arn, "ssm:GetParameter", [arn, secret])
    if denied:
        return Finding(
            "key-readable",
            "fail",
            f"The role {function.role} may not ssm:GetParameter on {', '.join(denied)}.",
            f"Deploy, which gives the role its policy again: stagectl deploy --stage {examined.target.stage}",
        )
    own_key = iam.customer_key(examined.target, examined.key.kms_key)
    if own_key and iam.denied(
        examined.target, function.role_arn, "kms:Decrypt", [own_key], {"kms:EncryptionContext:PARAMETER_ARN": arn}
    ):
        statement = {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": own_key,
            "Condition": {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arn}},
        }
        return Finding(
            "key-readable",
            "fail",
            f"The role {function.role} may not kms:Decrypt with {own_key}, which the key is encrypted with.",
            f"Add to .chalice/policy-{examined.config.resources_stage}.json, and deploy: {json.dumps(statement)}",
        )
    return Finding("key-readable", "ok", f"The role {function.role} may read and decrypt the stage's secrets.")


def throughput(examined: Examined) -> Finding:
    """Say what a burst of cold starts would meet at Parameter Store."""
    setting = examined.client("ssm").get_service_setting(SettingId=_HIGH_THROUGHPUT)["ServiceSetting"]
    if setting["SettingValue"] == "true":
        return Finding("throughput", "ok", "Parameter Store takes high throughput: thousands of cold starts a second.")
    return Finding(
        "throughput",
        "warn",
        "Parameter Store allows 40 reads a second in this account and region: of 200 containers that start within a "
        "second, the last reads its key after 5 s.",
        f"For such bursts (AWS charges for it): aws ssm update-service-setting --setting-id {_HIGH_THROUGHPUT} "
        "--setting-value true",
    )


def _put(examined: Examined) -> str:
    return f"stagectl secrets put --stage {examined.target.stage}"
