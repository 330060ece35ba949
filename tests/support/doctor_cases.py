"""What can be wrong with credentials, the key, functions and roles, and what the doctor says of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.breakages import (
    API,
    KEY,
    NOTIFY,
    ROLE,
    SIGNING_SECRET,
    Breakage,
    allow,
    another_python,
    attached_policy,
    configured,
    denied,
    inline_policy,
    kms_key,
    no_parameter,
    nothing,
    parameter,
    revoked_key,
    second_api,
    session_error,
    statements,
    trusted_by,
)
from tests.support.operator_session import Operator


@dataclass(frozen=True)
class Case:
    """``says``, ``remedy``: regular expressions. ``followed``: the remedy is run, and has to help.

    ``seen``: how the doctor looks at it, if not at dev with dev's credentials.
    """

    check: str
    breaks: Breakage
    says: str
    remedy: str
    level: str = "fail"
    followed: bool = field(default=False, kw_only=True)
    seen: Callable[[Operator], dict[str, Any]] = field(default=lambda _: {}, kw_only=True)


DEPLOY, UP = "^stagectl deploy --stage dev$", "stagectl webhook up --stage dev$"
PUT, ROTATE = "then: stagectl secrets put --stage dev$", "then: stagectl secrets rotate --stage dev$"
US = "--region us-east-1"


def restricted(*permissions: str) -> Breakage:
    names = tuple(f"rak_{permission}" for permission in permissions)
    return parameter(KEY, lambda operator: operator.issue_key("test", names))


def without_secrets(of: list[Any]) -> list[Any]:
    return [it for it in of if it["Action"] != "ssm:GetParameter"]


CASES = {
    "the session has expired": Case(
        "credentials", session_error("ExpiredToken"), "session has expired", "aws sso login.*--profile"
    ),
    "the credentials are unknown": Case(
        "credentials", session_error("InvalidClientTokenId"), "does not accept the credentials", "profile and the clock"
    ),
    "the credentials are another account's": Case(
        "account",
        nothing(),
        "of account [0-9]{12}, but dev is pinned to [0-9]{12}",
        "Sign in to [0-9]{12}",
        seen=lambda it: {"account": it.prod},
    ),
    "the region is another": Case(
        "region",
        nothing(),
        "The region is eu-west-1, but dev lives in us-east-1",
        "stagectl --region us-east-1 doctor --stage dev$",
        seen=lambda _: {"region": "eu-west-1"},
    ),
    "Stripe can't be reached": Case(
        "key-accepted",
        nothing(),
        "could not be checked: Stripe can't be reached",
        "HTTPS_PROXY",
        seen=lambda _: {"HTTPS_PROXY": "http://127.0.0.1:9"},
    ),
    "the key is not stored": Case("key-stored", no_parameter(KEY), f"{KEY} is not stored", PUT, followed=True),
    "the key is no SecureString": Case(
        "key-encrypted",
        parameter(KEY, Type="String"),
        f"{KEY} is a String",
        f"then: aws {US} ssm delete-parameter --name {KEY} && stagectl secrets put --stage dev$",
        followed=True,
    ),
    "the key is of the other mode": Case(
        "key-mode", parameter(KEY, lambda it: it.live_key), "begin with sk_test_ or rk_test_", PUT
    ),
    "the key may not be read by the operator": Case(
        "key-mode", denied("ssm:GetParameter"), "may not decrypt the key", "ssm:GetParameter.*--profile", "warn"
    ),
    "the key is revoked": Case("key-accepted", revoked_key(), "does not accept the stored key", ROTATE, followed=True),
    "the key may not charge": Case(
        "key-permissions",
        restricted("charge_read", "webhook_write"),
        "lacks PaymentIntents: Write .for charging.",
        "https://dashboard.stripe.com/test/apikeys$",
    ),
    "the key may not look up payments": Case(
        "key-permissions",
        restricted("payment_intent_write", "webhook_write"),
        "lacks Charges: Read",
        "https://dashboard.stripe.com/test/apikeys$",
    ),
    "the key may not look at endpoints": Case(
        "webhook",
        restricted("payment_intent_write", "charge_read"),
        "lacks Webhook Endpoints: Write, so .* not checked",
        "stagectl webhook up --stage dev --ask-key$",
        "warn",
    ),
    "the role's policy lets nobody read the key": Case(
        "key-readable",
        statements(without_secrets, in_repository=True),
        f"{ROLE} may not ssm:GetParameter on .*{KEY}, .*{SIGNING_SECRET}, though it has the policy",
        f"aws {US} iam simulate-principal-policy .* --resource-arns arn:aws:ssm:us-east-1:[0-9]+:parameter{KEY}$",
    ),
    "the key is under a KMS key that the role may not use": Case(
        "key-readable",
        parameter(KEY, KeyId=kms_key),
        f"{ROLE} may not kms:Decrypt with arn:aws:kms:.*:key/",
        r"policy-dev.json: {.*kms:Decrypt.*PARAMETER_ARN.*stripeSecretKey/test.*}, then: stagectl deploy --stage dev$",
    ),
    "the signing secret is under such a KMS key": Case(
        "key-readable",
        parameter(SIGNING_SECRET, KeyId=kms_key),
        f"{ROLE} may not kms:Decrypt with arn:aws:kms:.*:key/",
        r"policy-dev.json: {.*kms:Decrypt.*PARAMETER_ARN.*stripeWebhookSecret/dev.*}, then: stagectl deploy",
    ),
    "a second API calls the function": Case(
        "deployed", second_api(), "Several REST APIs", f"aws {US} apigateway delete-rest-api --rest-api-id .*, or aws"
    ),
    "a variable of the function was changed": Case(
        "environment",
        configured(Environment={"CORS_ORIGIN": "https://old.example.com"}),
        f"differ from config.json's: {API}: CORS_ORIGIN",
        DEPLOY,
    ),
    "a variable was added to the function": Case(
        "environment", configured(NOTIFY, Environment={"BY_HAND": "1"}), f"{NOTIFY}: BY_HAND", DEPLOY
    ),
    "a variable of the function holds a key": Case(
        "environment-secrets",
        configured(Environment={"STRIPE_KEY": "sk_test_byhand"}),
        f"holds a secret: {API}: STRIPE_KEY",
        "stagectl secrets rotate --stage dev && stagectl deploy --stage dev$",
    ),
    "a variable of the function holds a signing secret": Case(
        "environment-secrets",
        configured(Environment={"CORS_ORIGIN": "whsec_byhand"}),
        f"holds a secret: {API}: CORS_ORIGIN",
        "stagectl webhook down --stage dev && stagectl deploy --stage dev$",
    ),
    "the timeout is another": Case("limits", configured(Timeout=3), "timeout is 3, config.json says 28", DEPLOY),
    "the memory is another": Case("limits", configured(NOTIFY, MemorySize=128), f"{NOTIFY}'s memory is 128", DEPLOY),
    "the functions run another Python": Case(
        "limits",
        configured(Runtime=another_python()),
        f"The functions run .*{another_python()}",
        "make clean setup PYTHON=python3.*stagectl deploy --stage dev$",
        "warn",
    ),
    "nothing is traced": Case(
        "tracing", configured(TracingConfig={"Mode": "PassThrough"}), f"{API} is PassThrough", DEPLOY
    ),
    "another policy is attached to a role": Case(
        "roles",
        attached_policy(),
        f"{ROLE} has ByHand attached",
        f"^aws {US} iam detach-role-policy --role-name {ROLE} --policy-arn .*/ByHand$",
        followed=True,
    ),
    "a role has an inline policy of somebody else's": Case(
        "roles",
        inline_policy(),
        f"{ROLE} has the policy ByHand",
        f"^aws {US} iam delete-role-policy --role-name {ROLE} --policy-name ByHand$",
        followed=True,
    ),
    "a role may more than the repository says": Case(
        "roles",
        statements(lambda of: [*of, allow("ssm:GetParameter")]),
        f"{ROLE} has statements that policy-dev.json has not: Allow ssm:GetParameter on [*]",
        DEPLOY,
    ),
    "a role may less, and not even read the key": Case(
        "roles", statements(without_secrets), f"{ROLE} lacks statements .*: Allow ssm:GetParameter on", DEPLOY
    ),
    "others may act as the function": Case(
        "roles",
        trusted_by({"AWS": "*"}),
        f"{ROLE} can be assumed by others than Lambda",
        f"^aws {US} iam update-assume-role-policy --role-name {ROLE} --policy-document '",
        followed=True,
    ),
}
