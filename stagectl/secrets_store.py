"""A stage's secrets in Parameter Store: versions, authors and times. Values stay inside `SecretValue`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from stagectl import project
from stagectl.aws.secret import SecretValue
from stagectl.aws_errors import ignore_error
from stagectl.operator_error import OperatorError

ROLLED_BACK = "Rolled back to version "  # the beginning of the description of such a version
_UNITS = ((86400 * 2, 86400, "days"), (7200, 3600, "hours"), (120, 60, "minutes"))  # from how many seconds on


@dataclass(frozen=True)
class Stored:
    """The result of storing a secret. ``before``: the version that was current, None if it is the first."""

    parameter: str
    before: "Version | None"
    now: "Version"

    @property
    def is_changed(self) -> bool:
        """Whether a version was written."""
        return self.before is None or self.before.number != self.now.number

    @property
    def message(self) -> str:
        """The result in a sentence."""
        current = f"{self.parameter} is version {self.now.number} ({self.now.last4})"
        if not self.is_changed:
            return f"{current} already; nothing was changed."
        if self.before is None:
            return f"{current}, the first."
        return f"{current}; it was version {self.before.number} ({self.before.last4})."


@dataclass(frozen=True)
class Version:
    """One version of a SecureString.

    ``by``: the ARN of its author. ``kms_key``: as PutParameter received it.
    ``secret``: None where these credentials may not decrypt it, or where the parameter is not a SecureString.
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
        """The part of the value that may be shown."""
        value = self.secret.reveal() if self.secret else ""
        return f"…{value[-4:]}" if len(value) > 12 else "…"

    @property
    def who(self) -> str:
        """The author's name, from the ARN."""
        return self.by.rpartition(":")[2]

    @property
    def age(self) -> str:
        """The time since the version was stored, for people."""
        seconds = (datetime.now(timezone.utc) - self.modified).total_seconds()
        for least, unit, name in _UNITS:
            if seconds >= least:
                return f"{int(seconds // unit)} {name} ago"
        return "just now"

    def as_json(self) -> dict[str, Any]:
        """Return what programs may see of the version."""
        return {
            "version": self.number,
            "value": self.last4,
            "modified": self.modified.isoformat(),
            "by": self.by,
            "kms_key": self.kms_key,
            "description": self.description,
        }


def validate(config: Any, name: str, secret: SecretValue) -> None:
    """Check that a value has the form of a secret of a stage.

    :param config: the stage's configuration.
    :param name: the name of a row of SECRETS.
    :raises OperatorError: it has not. The message does not quote the value.
    """
    problem = config.validate(name, secret.reveal())
    if problem:
        raise OperatorError(
            f"{project.current().secret(name).label} for {config.stage}: the value {problem}.",
            "Nothing was stored. Copy the right value from its issuer, or choose another --stage.",
        )


def existing(ssm: Any, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the metadata of those of some parameters that exist, as DescribeParameters returns it."""
    filters = [{"Key": "Name", "Option": "Equals", "Values": names}]
    yield from ssm.get_paginator("describe_parameters").paginate(ParameterFilters=filters).search("Parameters[]")


def current(ssm: Any, name: str) -> Version | None:
    """Return a parameter's current version, or None if there is no such parameter."""
    entry = next(existing(ssm, [name]), None)
    return _version(entry, _value(ssm, name)) if entry else None


def history(ssm: Any, name: str) -> list[Version]:
    """Return a parameter's versions, newest first (Parameter Store keeps 100); empty if it is not stored."""
    with ignore_error("ParameterNotFound"):
        pages = ssm.get_paginator("get_parameter_history").paginate(Name=name, WithDecryption=True)
        versions = [_version(entry, SecretValue(entry["Value"])) for entry in pages.search("Parameters[]")]
        return sorted(versions, key=lambda version: version.number, reverse=True)
    return []


def store(ssm: Any, name: str, secret: SecretValue, kms_key: str | None, description: str) -> Stored:
    """Store a secret as a new version, unless it is the current one already.

    :param kms_key: a customer-managed key; None for the current version's, or for the AWS-managed one at first.
    :param description: is stored in clear text beside it.
    :raises OperatorError: the parameter exists and is not a SecureString.
    """
    before = current(ssm, name)
    if before and before.type != "SecureString":
        raise OperatorError(
            f"{name} is a {before.type}: everybody who may list parameters may have read it.",
            "Delete it, then repeat the command with a new secret:",
            f"aws ssm delete-parameter --name {name}",
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


def _value(ssm: Any, name: str) -> SecretValue | None:
    with ignore_error("AccessDeniedException"):
        return SecretValue(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    return None  # its version and age are known all the same


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
