"""Problems of credentials, the key, functions and roles, and the doctor's verdict on each."""

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
    """A problem and the verdict on it.

    ``text``, ``advice``: regular expressions; the advice is the remedy and the command, each on lines of its own.
    ``is_followed``: the command is run, and must solve the problem.
    ``arguments``: of :func:`tests.support.doctor.run_doctor`, where it does not check dev with dev's credentials.
    """

    check: str
    breakage: Breakage
    text: str
    advice: str
    level: str = "fail"
    is_followed: bool = field(default=False, kw_only=True)
    arguments: Callable[[Operator], dict[str, Any]] = field(default=lambda _: {}, kw_only=True)


DEPLOY, UP = "^stagectl deploy --stage dev$", "^stagectl webhook up --stage dev$"
PUT, ROTATE = "^stagectl secrets put --stage dev$", "^stagectl secrets rotate --stage dev$"
AWS = "aws --region us-east-1"


def restricted(*permissions: str) -> Breakage:
    names = tuple(f"rak_{permission}" for permission in permissions)
    return parameter(KEY, lambda operator: operator.issue_key("test", names))


def without_secrets(statements: list[Any]) -> list[Any]:
    return [statement for statement in statements if statement["Action"] != "ssm:GetParameter"]


CASES = {
    "the session has expired": Case(
        "credentials", session_error("ExpiredToken"), "session has expired", "--profile.*aws sso login"
    ),
    "the credentials are unknown": Case(
        "credentials", session_error("InvalidClientTokenId"), "does not accept the credentials", "profile and the clock"
    ),
    "the credentials are another account's": Case(
        "account",
        nothing(),
        "of account [0-9]{12}, but dev is pinned to [0-9]{12}",
        "Sign in to [0-9]{12}",
        arguments=lambda it: {"account": it.prod},
    ),
    "the region differs": Case(
        "region",
        nothing(),
        "The region is eu-west-1, but dev is pinned to us-east-1",
        "^stagectl --region us-east-1 doctor --stage dev$",
        arguments=lambda _: {"region": "eu-west-1"},
    ),
    "Stripe can't be reached": Case(
        "key-accepted",
        nothing(),
        "could not be checked: Stripe can't be reached",
        "HTTPS_PROXY",
        arguments=lambda _: {"HTTPS_PROXY": "http://127.0.0.1:9"},
    ),
    "the key is not stored": Case("key-stored", no_parameter(KEY), f"{KEY} is not stored", PUT, is_followed=True),
    "the key is not a SecureString": Case(
        "key-encrypted",
        parameter(KEY, Type="String"),
        f"{KEY} is a String",
        f"^{AWS} ssm delete-parameter --name {KEY} && stagectl secrets put --stage dev$",
        is_followed=True,
    ),
    "the key has the other mode": Case(
        "key-mode", parameter(KEY, lambda it: it.live_key), "begin with sk_test_ or rk_test_", PUT
    ),
    "the operator are not allowed to decrypt the key": Case(
        "key-mode",
        denied("ssm:GetParameter"),
        "are not allowed to decrypt the key",
        "ssm:GetParameter.*--profile",
        "warn",
    ),
    "the key is revoked": Case(
        "key-accepted", revoked_key(), "does not accept the stored key", ROTATE, is_followed=True
    ),
    "the key may not charge": Case(
        "key-permissions",
        restricted("charge_read", "webhook_write"),
        "lacks PaymentIntents: Write .for charging.",
        r"https://dashboard.stripe.com/test/apikeys\.",
    ),
    "the key may not look up payments": Case(
        "key-permissions",
        restricted("payment_intent_write", "webhook_write"),
        "lacks Charges: Read",
        r"https://dashboard.stripe.com/test/apikeys\.",
    ),
    "the key may not list endpoints": Case(
        "webhook",
        restricted("payment_intent_write", "charge_read"),
        "lacks Webhook Endpoints: Write, so .* not checked",
        "^stagectl webhook up --stage dev --ask-key$",
        "warn",
    ),
    "the policy of the repository does not allow reading the key": Case(
        "key-readable",
        statements(without_secrets, in_repository=True),
        f"{ROLE} is not allowed ssm:GetParameter on .*{KEY}, .*{SIGNING_SECRET}, although it has the policy",
        f"^{AWS} iam simulate-principal-policy .* --resource-arns arn:aws:ssm:us-east-1:[0-9]+:parameter{KEY}$",
    ),
    "a KMS key that the role may not use encrypts the key": Case(
        "key-readable",
        parameter(KEY, KeyId=kms_key),
        f"{ROLE} is not allowed kms:Decrypt with arn:aws:kms:.*:key/",
        "then deploy: {.*kms:Decrypt.*PARAMETER_ARN.*stripeSecretKey/test.*}\nstagectl deploy --stage dev$",
    ),
    "such a KMS key encrypts the signing secret": Case(
        "key-readable",
        parameter(SIGNING_SECRET, KeyId=kms_key),
        f"{ROLE} is not allowed kms:Decrypt with arn:aws:kms:.*:key/",
        "policy-dev.json, then deploy: {.*kms:Decrypt.*PARAMETER_ARN.*stripeWebhookSecret/dev.*}\nstagectl deploy",
    ),
    "a second API calls the function": Case(
        "deployed",
        second_api(),
        "Several REST APIs",
        f"^{AWS} apigateway delete-rest-api --rest-api-id .+\n{AWS} apigateway delete-rest-api",
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
        "^stagectl secrets rotate --stage dev && stagectl deploy --stage dev$",
    ),
    "a variable of the function holds a signing secret": Case(
        "environment-secrets",
        configured(Environment={"CORS_ORIGIN": "whsec_byhand"}),
        f"holds a secret: {API}: CORS_ORIGIN",
        "^stagectl webhook down --stage dev && stagectl deploy --stage dev$",
    ),
    "the timeout differs": Case("limits", configured(Timeout=3), f"{API}'s timeout is 3 s, not 28 s", DEPLOY),
    "the memory differs": Case(
        "limits", configured(NOTIFY, MemorySize=128), f"{NOTIFY}'s memory is 128 MB, not 512 MB", DEPLOY
    ),
    "the functions run another Python": Case(
        "limits",
        configured(Runtime=another_python()),
        f"The functions run .*{another_python()}",
        "^make clean setup PYTHON=python3[0-9.]+\nstagectl deploy --stage dev$",
        "warn",
    ),
    "tracing is off": Case(
        "tracing", configured(TracingConfig={"Mode": "PassThrough"}), f"{API} is PassThrough", DEPLOY
    ),
    "another policy is attached to a role": Case(
        "roles",
        attached_policy(),
        f"{ROLE} has ByHand attached",
        f"^{AWS} iam detach-role-policy --role-name {ROLE} --policy-arn .*/ByHand$",
        is_followed=True,
    ),
    "a role has another inline policy": Case(
        "roles",
        inline_policy(),
        f"{ROLE} has the policy ByHand",
        f"^{AWS} iam delete-role-policy --role-name {ROLE} --policy-name ByHand$",
        is_followed=True,
    ),
    "a role has more permissions than the repository": Case(
        "roles",
        statements(lambda of: [*of, allow("ssm:GetParameter")]),
        f"{ROLE} has statements that are not in policy-dev.json: Allow ssm:GetParameter on [*]",
        DEPLOY,
    ),
    "a role lacks the permission to read the key": Case(
        "roles", statements(without_secrets), f"{ROLE} lacks statements .*: Allow ssm:GetParameter on", DEPLOY
    ),
    "others may assume the role": Case(
        "roles",
        trusted_by({"AWS": "*"}),
        f"{ROLE} can be assumed by others than Lambda",
        f"^{AWS} iam update-assume-role-policy --role-name {ROLE} --policy-document '",
        is_followed=True,
    ),
}
