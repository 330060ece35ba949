"""Whether the credentials work, and are those of the stage's account and region."""

from stagectl import accounts
from stagectl.doctor.context import CheckContext, Verdict, fail, ok, warn
from stagectl.operator_error import OperatorError


def credentials(context: CheckContext) -> Verdict:
    """Check that AWS accepts the credentials. Every other check needs them."""
    return ok(f"AWS knows the credentials: {context.target.identity['Arn']}.")


def account(context: CheckContext) -> Verdict:
    """Check that the account is the stage's."""
    current, resources = context.target.account_region, context.config.resources_stage
    pinned = accounts.pinned(resources)
    if pinned and pinned.account == current.account:
        return ok(f"Account {current.account} is {resources}'s.")
    try:
        context.target.check_account()
    except OperatorError as error:
        return fail(error.what, error.remedy, error.command)
    return warn(
        f"{resources} is not pinned to an account yet. These credentials are of account {current.account}.",
        f"If that is {resources}'s account, pin it:",
        context.stagectl("stages pin"),
    )


def region(context: CheckContext) -> Verdict:
    """Check that the region is the stage's."""
    current, pinned = context.target.account_region, accounts.pinned(context.config.resources_stage)
    if pinned and pinned.region != current.region:
        return fail(
            f"The region is {current.region}, but {context.config.resources_stage} is pinned to {pinned.region}.",
            "Set AWS_DEFAULT_REGION, or use --region:",
            context.stagectl(f"--region {pinned.region} doctor"),
        )
    return ok(f"The region is {current.region}.")
