"""Finds the IAM user or role of an access key in moto, with its policies."""

import json
from dataclasses import dataclass
from typing import Any

from moto.iam.models import AccessKey, iam_backends
from moto.sts.models import sts_backends

PARTITION = "aws"


@dataclass(frozen=True)
class Principal:
    """A user, or a session of a role."""

    arn: str
    account: str
    key: AccessKey
    session_token: str | None
    policies: list[Any]


def principal_of(access_key: str) -> Principal | None:
    """Return the principal of an access key; None if moto has no such key."""
    for account, partitions in list(iam_backends.items()):
        iam = partitions[PARTITION]
        key = iam.access_keys.get(access_key)
        if key is None:
            continue
        session = sts_backends[account][PARTITION].get_assumed_role_from_access_key(access_key)
        if session:
            policies = policies_of(iam.get_role_by_arn(session.role_arn))
            return Principal(session.arn, account, key, session.session_token, policies)
        user = iam.get_user(key.user_name)
        return Principal(user.arn, account, key, None, policies_of(user))
    return None


def policies_of(identity: Any) -> list[Any]:
    """Return the policies of one of moto's users or roles, inline and attached."""
    versions = [version for policy in identity.managed_policies.values() for version in policy.versions]
    attached = [version.document for version in versions if version.is_default]
    return [json.loads(text) for text in (*identity.policies.values(), *attached)]


def policies_of_role(arn: str) -> list[Any]:
    """Return the policies of a role.

    :raises moto.iam.exceptions.NotFoundException: it does not exist.
    """
    return policies_of(iam_backends[arn.split(":")[4]][PARTITION].get_role_by_arn(arn))


def assume(role_arn: str, session_name: str, region: str) -> Any:
    """Return temporary credentials of a role."""
    sts = sts_backends[role_arn.split(":")[4]][PARTITION]
    return sts.assume_role(region, session_name, role_arn, "", 3600, "")
