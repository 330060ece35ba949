"""A stage's secrets in Parameter Store: versions, who wrote them, when. Values stay inside `SecretValue`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

from chalicelib.aws.secret import SecretValue
from chalicelib.config import StageConfig
from stagectl.errors import OperatorError, code_of

Kind = Literal["stripe-key", "webhook-secret"]

ROLLED_BACK = "Rolled back to version "  # how the description of such a version begins


@dataclass(frozen=True)
class Stored:
    """What storing a secret did. ``before``: the version that was current, None if there was none."""

    parameter: str
    before: "Version | None"
    now: "Version"

    @property
    def changed(self) -> bool:
        """Say whether a version was written."""
        return self.before is None or self.before.number != self.now.number

    @property
    def said(self) -> str:
        """Say it to a person."""
        is_now = f"{self.parameter} is version {self.now.number} ({self.now.last4})"
        if not self.changed:
            return f"{is_now} already; nothing was changed."
        if self.before is None:
            return f"{is_now}, the first."
        return f"{is_now}; it was version {self.before.number} ({self.before.last4})."


@dataclass(frozen=True)
class Version:
    """One version of a SecureString.

    ``by``: the ARN of who wrote it. ``description``: what was written beside it. ``kms_key``: as it was given.
    ``secret``: None where these credentials may not decrypt it, or it is no SecureString.
    """

    number: int
    modified: datetime
    by: str
    type: str
    description: str
    kms_key: str | None
    secret: SecretValue | None

    @property
    def last4(self) -> str:
        """What of the value may be shown."""
        value = self.secret.reveal() if self.secret else ""
        return f"…{value[-4:]}" if len(value) > 12 else "…"

    @property
    def who(self) -> str:
        """The name in the ARN, which is what people know each other by."""
        return self.by.rpartition(":")[2]


def parameter_of(config: StageConfig, kind: Kind) -> str:
    """Return the name of the parameter that holds a secret of a stage."""
    return config.parameter(kind)


def check(config: StageConfig, kind: Kind, secret: SecretValue) -> None:
    """Check that a value can be this secret of this stage.

    :raises OperatorError: it can't; the value is not quoted.
    """
    value = secret.reveal()
    if kind == "stripe-key" and value.startswith("pk_"):
        raise OperatorError(
            "That is a publishable key.", "Copy the secret or restricted key, which begins with sk_ or rk_."
        )
    if kind == "stripe-key" and value.startswith(_OTHER_MODE[config.livemode]):
        is_, wants = ("test", "live") if config.livemode else ("live", "test")
        raise OperatorError(
            f"That is a {is_} key, and {config.stage} takes {wants} keys alone.",
            f"Nothing was stored; copy the {wants} key from Stripe's dashboard, or give another --stage.",
        )
    misfit = config.validate(kind, value)
    if misfit:
        raise OperatorError(f"The value {misfit}.", "Nothing was stored; copy the right one from Stripe's dashboard.")


# By whether the stage is a live one.
_OTHER_MODE = {True: ("sk_test_", "rk_test_"), False: ("sk_live_", "rk_live_")}


def current(ssm: Any, name: str) -> Version | None:
    """Return a parameter's current version, or None if there is no such parameter."""
    found = list(_metadata(ssm, name))
    if not found:
        return None
    return _version(found[0], _value(ssm, name))


def history(ssm: Any, name: str) -> list[Version]:
    """Return a parameter's versions, newest first (Parameter Store keeps a hundred); empty if there is none."""
    try:
        pages = ssm.get_paginator("get_parameter_history").paginate(Name=name, WithDecryption=True)
        entries = [entry for page in pages for entry in page["Parameters"]]
    except ClientError as error:
        if code_of(error) == "ParameterNotFound":
            return []
        raise
    versions = [_version(entry, SecretValue(entry["Value"])) for entry in entries]
    return sorted(versions, key=lambda version: version.number, reverse=True)


def store(ssm: Any, name: str, secret: SecretValue, kms_key: str | None, description: str) -> Stored:
    """Store a secret as a new version, unless it is the current one already.

    :param kms_key: a customer-managed key; None for the one it is encrypted with, at first the AWS-managed one.
    :param description: shown beside it, to whoever may list parameters.
    :raises OperatorError: the parameter is there and is no SecureString.
    """
    before = current(ssm, name)
    if before and before.type != "SecureString":
        raise OperatorError(
            f"{name} is a {before.type}: whoever may list parameters can have read it.",
            f"Delete it (aws ssm delete-parameter --name {name}) and repeat, with a new secret.",
        )
    same_key = before is not None and kms_key in (None, before.kms_key)
    if before and before.secret == secret and same_key:
        return Stored(name, before, before)
    key = kms_key or (before and before.kms_key)
    ssm.put_parameter(
        Name=name,
        Value=secret.reveal(),
        Type="SecureString",
        Overwrite=True,
        Description=description,
        **({"KeyId": key} if key else {}),
    )
    now = current(ssm, name)
    assert now is not None  # it was just written
    return Stored(name, before, now)


def replaced(versions: list[Version]) -> Version | None:
    """Return the newest version with another value than the current one.

    :param versions: newest first.
    """
    return next((version for version in versions[1:] if version.secret != versions[0].secret), None)


def shown(version: Version) -> dict[str, Any]:
    """Return what may be shown of a version, for programs."""
    return {
        "version": version.number,
        "value": version.last4,
        "modified": version.modified.isoformat(),
        "by": version.by,
        "kms_key": version.kms_key,
        "description": version.description,
    }


def _metadata(ssm: Any, name: str) -> Iterator[dict[str, Any]]:
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    for page in ssm.get_paginator("describe_parameters").paginate(ParameterFilters=filters):
        yield from page["Parameters"]


def _value(ssm: Any, name: str) -> SecretValue | None:
    try:
        return SecretValue(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except ClientError as error:
        if code_of(error) == "AccessDeniedException":
            return None  # whoever may not read it can still be told of its version and age
        raise


def _version(entry: dict[str, Any], secret: SecretValue | None) -> Version:
    return Version(
        number=int(entry["Version"]),
        modified=entry["LastModifiedDate"],
        by=str(entry.get("LastModifiedUser", "")),
        type=str(entry.get("Type", "")),
        description=str(entry.get("Description", "")),
        kms_key=entry.get("KeyId"),
        secret=secret,
    )
