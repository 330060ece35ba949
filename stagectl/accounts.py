"""Which AWS account and region a stage belongs to, so that nobody mixes them up.

The first command that changes something of a stage pins it; from then on every command stops where the credentials
are another account's. Stages of one kind (dev, and all that use its resources) have one pin. The file has account ids,
so git ignores it.
"""

import json
from dataclasses import asdict, dataclass

from stagectl.errors import OperatorError
from stagectl.stages import CHALICE, write_json

_FILE = CHALICE / "accounts.json"


@dataclass(frozen=True)
class AccountRegion:
    """``account``: twelve digits. ``region``: such as us-east-1."""

    account: str
    region: str


def pinned(resources_stage: str) -> AccountRegion | None:
    """Return where the stages that use these resources live, or None if that is not decided yet.

    :raises OperatorError: the file is damaged.
    """
    return _read().get(resources_stage)


def pin(resources_stage: str, home: AccountRegion) -> None:
    """Decide where the stages that use these resources live."""
    homes = {**_read(), resources_stage: home}
    write_json(_FILE, {name: asdict(value) for name, value in sorted(homes.items())})


def check(resources_stage: str, seen: AccountRegion, *, holds_other_key: bool) -> None:
    """Check that credentials are of the account, and the region is the one, that a stage belongs to.

    :param seen: the account that AWS says the credentials are of, and the region in use.
    :param holds_other_key: whether that account has the Stripe key of the other mode in Parameter Store.
    :raises OperatorError: they are not; it says what was seen and what was wanted.
    """
    homes = _read()
    wanted = homes.get(resources_stage)
    other = "dev" if resources_stage == "prod" else "prod"
    if wanted is None and (holds_other_key or (other in homes and homes[other].account == seen.account)):
        raise OperatorError(
            f"The credentials are of account {seen.account}, which is {other}'s: {resources_stage} wants another.",
            f"Sign in to {resources_stage}'s account (--profile); if one account is meant to hold both, say so first: "
            f"stagectl stages pin --stage {resources_stage}",
        )
    if wanted is None:
        return
    if wanted.account != seen.account:
        raise OperatorError(
            f"The credentials are of account {seen.account}, but {resources_stage} is pinned to {wanted.account}.",
            f"Sign in to {wanted.account} (--profile, AWS_PROFILE); nothing was changed.",
        )
    if wanted.region != seen.region:
        raise OperatorError(
            f"The region is {seen.region}, but {resources_stage} is pinned to {wanted.region}.",
            f"Give --region {wanted.region}; nothing was changed.",
        )


def _read() -> dict[str, AccountRegion]:
    if not _FILE.exists():
        return {}
    try:
        homes = {name: AccountRegion(**home) for name, home in json.loads(_FILE.read_text(encoding="utf-8")).items()}
        if not all(isinstance(text, str) for home in homes.values() for text in asdict(home).values()):
            raise TypeError("an account id and a region are strings")
        return homes
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise OperatorError(
            f".chalice/accounts.json can't be read: {error}.",
            "Delete it and pin the stages again: stagectl stages pin --stage prod",
        ) from error
