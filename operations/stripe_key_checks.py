"""Whether the stage's Stripe key is stored, valid at Stripe, and readable by the API's function."""

import json
from typing import Any

from botocore.exceptions import ClientError

from operations import stripe_account
from stagectl.aws.secret import SecretValue
from stagectl.deployed import Function
from stagectl.doctor.checks import iam
from stagectl.doctor.context import CheckContext, Verdict, fail, fetch_once, ok, warn


def _key_of_mode(context: CheckContext) -> SecretValue | None:
    """Return the Stripe key if it is stored, these credentials may decrypt it, and its mode is the stage's."""
    stored = context.secret("stripe-key")
    secret = stored.secret if stored else None
    return None if secret is None or context.config.validate("stripe-key", secret.reveal()) else secret


@fetch_once
def usable_key(context: CheckContext) -> SecretValue | None:
    """Return the Stripe key if Stripe accepts it too."""
    key = _key_of_mode(context)
    if key is None:
        return None
    try:
        stripe_account.verify(context.config, key)
    except stripe_account.KeyRejectedError:
        return None
    return key


def stored(context: CheckContext) -> Verdict:
    """Check that the parameter exists."""
    name, key = context.config.parameter("stripe-key"), context.secret("stripe-key")
    if key is None:
        return fail(f"{name} is not stored.", "Create a key at Stripe, then store it:", context.stagectl("secrets put"))
    return ok(f"{name} is version {key.number}, stored {key.age} by {key.who}.")


def encrypted(context: CheckContext) -> Verdict | None:
    """Check that the parameter is encrypted."""
    name, key = context.config.parameter("stripe-key"), context.secret("stripe-key")
    if key is None:
        return None
    if key.type != "SecureString":
        delete = context.aws(f"ssm delete-parameter --name {name}")
        return fail(
            f"{name} is a {key.type}, which is not encrypted.",
            "Create a new key at Stripe and revoke this one. Then replace the parameter:",
            f"{delete} && {context.stagectl('secrets put')}",
        )
    return ok(f"{name} is a SecureString ({key.kms_key or 'alias/aws/ssm'}).")


def mode(context: CheckContext) -> Verdict | None:
    """Check that the key's mode, live or test, is the stage's."""
    key = context.secret("stripe-key")
    if key is None:
        return None
    if key.secret is None:
        return warn(
            "These credentials are not allowed to decrypt the key, so the key itself was not checked.",
            "Choose credentials that may ssm:GetParameter (and kms:Decrypt) with --profile.",
        )
    if invalid := context.config.validate("stripe-key", key.secret.reveal()):
        return fail(f"The stored key {invalid}.", "Store the right key:", context.stagectl("secrets put"))
    return ok(f"The stored key is a {'live' if context.config.livemode else 'test'} key.")


def accepted(context: CheckContext) -> Verdict | None:
    """Check that Stripe accepts the key."""
    if _key_of_mode(context) is None:
        return None
    if usable_key(context) is None:
        return fail(
            "Stripe does not accept the stored key: it was revoked or mistyped.",
            "Create a new key at Stripe, then replace the stored one:",
            context.stagectl("secrets rotate"),
        )
    return ok("Stripe accepts the stored key.")


def permissions(context: CheckContext) -> Verdict | None:
    """Check that a restricted key has the permissions that the API needs."""
    key = usable_key(context)
    if key is None:
        return None
    if missing := stripe_account.missing_permissions(context.config, key):
        keys = stripe_account.keys_page(context.config)
        names = " and ".join(f"{permission.name} (for {permission.needed_for})" for permission in missing)
        return fail(
            f"The restricted key lacks {names}.", f"Edit the key at {keys}. Nothing needs to be stored or deployed."
        )
    if key.reveal().startswith("sk_"):
        return ok("The key has every permission; a restricted key would need fewer.")
    return ok("The restricted key may charge and look up payments.")


def readable(context: CheckContext) -> Verdict | None:
    """Check, with IAM's policy simulator, that the API's role may read and decrypt the stage's secrets."""
    function, target = context.function(context.target.function_name), context.target
    if function is None or context.secret("stripe-key") is None:
        return None
    unread = [
        arn for _, arn in _secrets(context) if not iam.is_allowed(target, function.role_arn, "ssm:GetParameter", arn)
    ]
    statements = [] if unread else _missing_statements(context, function)
    if unread and not _is_reported_by_roles(context, function):
        return fail(
            f"The role {function.role} is not allowed ssm:GetParameter on {', '.join(unread)}, although it has "
            "the policy of .chalice/. That policy does not allow it, or a permissions boundary or the organization "
            "denies it.",
            "See which:",
            context.aws(
                f"iam simulate-principal-policy --policy-source-arn {function.role_arn} "
                f"--action-names ssm:GetParameter --resource-arns {unread[0]}"
            ),
        )
    if statements and not _is_reported_by_roles(context, function, only_lacking=True):
        keys = ", ".join(dict.fromkeys(statement["Resource"] for statement in statements))
        return fail(
            f"The role {function.role} is not allowed kms:Decrypt with {keys}, which encrypts the stage's secrets.",
            f"Add to .chalice/policy-{context.config.resources_stage}.json, then deploy: "
            f"{', '.join(map(json.dumps, statements))}",
            context.stagectl("deploy"),
        )
    if unread or statements:
        return None
    return ok(f"The role {function.role} may read and decrypt the stage's secrets.")


def _secrets(context: CheckContext) -> list[tuple[str, str]]:
    """Return the names of the secrets that the function reads, and the ARNs of their parameters."""
    current = context.target.account_region
    return [
        (name, f"arn:aws:ssm:{current.region}:{current.account}:parameter{context.config.parameter(name)}")
        for name in ("stripe-key", "webhook-secret")
    ]


def _missing_statements(context: CheckContext, function: Function) -> list[dict[str, Any]]:
    """Return the statements that let the role decrypt the secrets under customer-managed keys that it may not use."""
    target, statements = context.target, []
    for name, arn in _secrets(context):
        version = context.secret(name)
        kms_key = iam.customer_key(target, version.kms_key) if version else None
        # What Parameter Store decrypts with: https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
        bound = {"kms:EncryptionContext:PARAMETER_ARN": arn}
        request = {**bound, "kms:ViaService": f"ssm.{target.region}.amazonaws.com"}
        if kms_key and not iam.is_allowed(target, function.role_arn, "kms:Decrypt", kms_key, request):
            condition = {"StringEquals": bound}
            statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": kms_key, "Condition": condition}
            statements.append(statement)
    return statements


def _is_reported_by_roles(context: CheckContext, function: Function, *, only_lacking: bool = False) -> bool:
    """Tell whether the line `roles` names the cause already.

    :param only_lacking: count only permissions that the role lacks.
    """
    try:
        return any(it.lacks or not only_lacking for it in iam.differences(context, function, "api_handler"))
    except ClientError:
        return False  # these credentials may not read the role
