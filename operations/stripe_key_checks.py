"""The stage's Stripe key: in Parameter Store, at Stripe, and for the function's role."""

import json

from botocore.exceptions import ClientError

from operations import stripe_account
from stagectl.ages import age
from stagectl.deployed import Function
from stagectl.doctor.checks import iam
from stagectl.doctor.context import CheckContext, Verdict, fail, ok, warn

_HIGH_THROUGHPUT = "/ssm/parameter-store/high-throughput-enabled"


def stored(examined: CheckContext) -> Verdict:
    """Check that the parameter exists."""
    name, key = examined.config.parameter("stripe-key"), examined.key
    if key is None:
        return fail(f"{name} is not stored.", f"Make a key at Stripe, then: {examined.stagectl('secrets put')}")
    return ok(f"{name} is version {key.number}, stored {age(key.modified)} by {key.who}.")


def encrypted(examined: CheckContext) -> Verdict | None:
    """Check that the parameter is encrypted."""
    name, key = examined.config.parameter("stripe-key"), examined.key
    if key is None:
        return None
    if key.type != "SecureString":
        delete = examined.aws(f"ssm delete-parameter --name {name}")
        return fail(
            f"{name} is a {key.type}, which whoever lists parameters can read.",
            f"Make a new key at Stripe, revoke this one, then: {delete} && {examined.stagectl('secrets put')}",
        )
    return ok(f"{name} is a SecureString ({key.kms_key or 'alias/aws/ssm'}).")


def mode(examined: CheckContext) -> Verdict | None:
    """Check that the key's mode, live or test, is the stage's."""
    if examined.key is None:
        return None
    if examined.key.secret is None:
        return warn(
            "These credentials may not decrypt the key, so what is about the key itself was not checked.",
            "Choose credentials that may ssm:GetParameter (and kms:Decrypt) with --profile.",
        )
    misfit = examined.config.validate("stripe-key", examined.key.secret.reveal())
    if misfit:
        return fail(f"The stored key {misfit}.", f"Take the right key, then: {examined.stagectl('secrets put')}")
    return ok(f"The stored key is a {'live' if examined.config.livemode else 'test'} key.")


def accepted(examined: CheckContext) -> Verdict | None:
    """Check that Stripe accepts the key."""
    if examined.fitting_key is None:
        return None
    if examined.usable_key is None:
        return fail(
            "Stripe does not accept the stored key: it was revoked, or mistyped.",
            f"Make a new one at Stripe, then: {examined.stagectl('secrets rotate')}",
        )
    return ok("Stripe accepts the stored key.")


def permissions(examined: CheckContext) -> Verdict | None:
    """Check that the key, if it is a restricted one, may do what the API does."""
    key = examined.usable_key
    if key is None:
        return None
    missing = stripe_account.missing_permissions(examined.config, key)
    if missing:
        keys = "https://dashboard.stripe.com/" + ("apikeys" if examined.config.livemode else "test/apikeys")
        lacking = " and ".join(f"{lack.name} (for {lack.needed_for})" for lack in missing)
        return fail(
            f"The restricted key lacks {lacking}.", f"Edit the key; nothing needs to be stored or deployed: {keys}"
        )
    if key.reveal().startswith("sk_"):
        return ok("The key may do everything; a restricted key would do with less.")
    return ok("The restricted key may charge and look up payments.")


def readable(examined: CheckContext) -> Verdict | None:
    """Check, by IAM's own simulation, that the function's role may read and decrypt both secrets."""
    function = examined.api_function
    if function is None or examined.key is None:
        return None
    unread = [
        arn for arn in _secrets(examined) if not iam.may(examined.target, function.role_arn, "ssm:GetParameter", arn)
    ]
    if unread and not _said_by_roles(examined, function):
        return fail(
            f"The role {function.role} may not ssm:GetParameter on {', '.join(unread)}, though it has the policy of "
            ".chalice/: that does not allow it, or a permissions boundary or the organization forbids it.",
            f"See which: {examined.aws(_simulate(function, unread[0]))}",
        )
    undecrypted = {} if unread else _undecrypted(examined, function)
    if undecrypted and not _said_by_roles(examined, function, lacking=True):
        return fail(
            f"The role {function.role} may not kms:Decrypt with {', '.join(undecrypted)}, "
            "which the stage's secrets are encrypted with.",
            f"Add to .chalice/policy-{examined.config.resources_stage}.json: {_statements(undecrypted)}, then: "
            f"{examined.stagectl('deploy')}",
        )
    if unread or undecrypted:
        return None
    return ok(f"The role {function.role} may read and decrypt the stage's secrets.")


def throughput(examined: CheckContext) -> Verdict:
    """Say what a burst of cold starts would meet at Parameter Store."""
    setting = examined.client("ssm").get_service_setting(SettingId=_HIGH_THROUGHPUT)["ServiceSetting"]
    if setting["SettingValue"] == "true":
        return ok("Parameter Store takes high throughput: thousands of cold starts a second.")
    raised = examined.aws(f"ssm update-service-setting --setting-id {_HIGH_THROUGHPUT} --setting-value true")
    return warn(
        # Measured: docs/fleet.md.
        "Parameter Store allows 40 reads a second in this account and region: of 200 containers that start within a "
        "second, the last purchase is answered after 8 s; of 1,000 within ten seconds, after 21 s.",
        f"If such bursts come (AWS charges for it): {raised}",
    )


def _secrets(examined: CheckContext) -> list[str]:
    """Return the ARNs of the parameters that the function reads."""
    names = examined.config.parameter("stripe-key"), examined.config.parameter("webhook-secret")
    return [iam.parameter_arn(examined.target, name) for name in names]


def _undecrypted(examined: CheckContext, function: Function) -> dict[str, list[str]]:
    """Return the customer-managed keys that the role may not decrypt secrets with, and the secrets' ARNs."""
    found: dict[str, list[str]] = {}
    target = examined.target
    for arn, version in zip(_secrets(examined), (examined.key, examined.webhook_secret), strict=True):
        own_key = iam.customer_key(target, version.kms_key) if version else None
        # What Parameter Store decrypts with: https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
        context = {"kms:EncryptionContext:PARAMETER_ARN": arn, "kms:ViaService": f"ssm.{target.region}.amazonaws.com"}
        if own_key and not iam.may(target, function.role_arn, "kms:Decrypt", own_key, context):
            found.setdefault(own_key, []).append(arn)
    return found


def _said_by_roles(examined: CheckContext, function: Function, *, lacking: bool = False) -> bool:
    """Tell whether the line on the roles says why already: one cause, one line.

    :param lacking: only what the role lacks can be why.
    """
    try:
        found = iam.differences(examined, function, "api_handler")
    except ClientError:
        return False  # these credentials may not look
    return any(it.lacks or not lacking for it in found)


def _simulate(function: Function, resource: str) -> str:
    return (
        f"iam simulate-principal-policy --policy-source-arn {function.role_arn} --action-names ssm:GetParameter "
        f"--resource-arns {resource}"
    )


def _statements(undecrypted: dict[str, list[str]]) -> str:
    return ", ".join(
        json.dumps(
            {
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": own_key,
                "Condition": {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arns}},
            }
        )
        for own_key, arns in undecrypted.items()
    )
