"""Whose credentials these are, and whether they are of the stage's account and region."""

from stagectl import accounts
from stagectl.doctor.context import CheckContext, Verdict, fail, ok, warn
from stagectl.errors import OperatorError


def credentials(examined: CheckContext) -> Verdict:
    """Check that AWS knows the credentials. Without them nothing else can be asked."""
    return ok(f"AWS knows the credentials: {examined.target.identity['Arn']}.")


def account(examined: CheckContext) -> Verdict:
    """Check that the account is the stage's."""
    home, resources = examined.target.home, examined.config.resources_stage
    pinned = accounts.pinned(resources)
    if pinned and pinned.account == home.account:
        return ok(f"Account {home.account} is {resources}'s.")
    try:
        examined.target.check_account()
    except OperatorError as failure:
        return fail(failure.what, failure.remedy)
    return warn(
        f"{resources} is not pinned to an account yet; these credentials are of {home.account}.",
        f"If that is {resources}'s account: {examined.stagectl('stages pin')}",
    )


def region(examined: CheckContext) -> Verdict:
    """Check that the region is the stage's."""
    home, pinned = examined.target.home, accounts.pinned(examined.config.resources_stage)
    if pinned and pinned.region != home.region:
        return fail(
            f"The region is {home.region}, but {examined.config.resources_stage} lives in {pinned.region}.",
            f"Set AWS_DEFAULT_REGION, or give it: {examined.stagectl(f'--region {pinned.region} doctor')}",
        )
    return ok(f"The region is {home.region}.")
