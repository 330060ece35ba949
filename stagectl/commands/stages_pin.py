"""`stagectl stages pin`: pins a stage to an AWS account."""

import click

from stagectl import accounts, target
from stagectl.accounts import AccountRegion
from stagectl.context import Context, example, stage_option
from stagectl.operator_error import OperatorError


@click.command("pin", epilog=example("stagectl --profile prod stages pin --stage prod"))
@stage_option
@click.option("--account", metavar="ID", help="Twelve digits; by default the account of the credentials.")
@click.pass_obj
def command(context: Context, stage: str, account: str | None) -> None:
    """Pin a stage to an AWS account and the region in use.

    With credentials of another account, every command then stops. The first command that changes something of a stage
    pins it, so this command is for pinning it to another account.
    """
    pinned = target.of(stage, context.profile, context.region)
    if account is not None and not (account.isascii() and account.isdigit() and len(account) == 12):
        raise OperatorError(f"{account!r} is not an account id.", "Add its twelve digits: --account 111122223333")
    pin = AccountRegion(account, pinned.region) if account else pinned.account_region
    accounts.pin(pinned.config.resources_stage, pin)
    context.output.mark("ok", f"{pinned.config.resources_stage} is pinned to account {pin.account}, {pin.region}.")
