"""Whose credentials these are, and whether they are of the stage's account and region."""

from stagectl import accounts
from stagectl.checks.examined import Examined, Finding
from stagectl.errors import Failure


def credentials(examined: Examined) -> Finding:
    """Check that AWS knows the credentials. Without them nothing else can be asked."""
    identity = examined.target.identity
    return Finding("credentials", "ok", f"AWS knows the credentials: {identity['Arn']}.")


def account(examined: Examined) -> Finding:
    """Check that the account is the stage's."""
    home, resources = examined.target.home, examined.config.resources_stage
    pinned = accounts.pinned(resources)
    try:
        examined.target.check_account()
    except Failure as failure:
        if pinned and pinned.account == home.account:
            return Finding("account", "ok", f"Account {home.account} is {resources}'s.")
        return Finding("account", "fail", failure.what, failure.remedy)
    if pinned is None:
        return Finding(
            "account",
            "warn",
            f"{resources} is not pinned to an account yet; these credentials are of {home.account}.",
            f"If that is {resources}'s account: stagectl stages pin --stage {examined.target.stage}",
        )
    return Finding("account", "ok", f"Account {home.account} is {resources}'s.")


def region(examined: Examined) -> Finding:
    """Check that the region is the stage's."""
    home, pinned = examined.target.home, accounts.pinned(examined.config.resources_stage)
    if pinned and pinned.region != home.region:
        return Finding(
            "region",
            "fail",
            f"The region is {home.region}, but {examined.config.resources_stage} lives in {pinned.region}.",
            f"Give --region {pinned.region}, or set AWS_DEFAULT_REGION.",
        )
    return Finding("region", "ok", f"The region is {home.region}.")
