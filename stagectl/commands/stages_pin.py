"""`stagectl stages pin`: which account a stage belongs to."""

import click

from stagectl import accounts, target
from stagectl.accounts import AccountRegion
from stagectl.context import Context, stage_option
from stagectl.errors import OperatorError


@click.command("pin", epilog="Example:  stagectl --profile prod stages pin --stage prod")
@stage_option
@click.option("--account", metavar="ID", help="Twelve digits; the account of the credentials if left out.")
@click.pass_obj
def command(context: Context, stage: str, account: str | None) -> None:
    """Pin a stage to an AWS account and the region in use: with others, every command stops.

    The first command that changes something of a stage pins it as well; this is for pinning another one.
    """
    found = target.of(stage, context.profile, context.region)
    if account is not None and not (account.isascii() and account.isdigit() and len(account) == 12):
        raise OperatorError(f"{account!r} is not an account id.", "Give its twelve digits: --account 111122223333")
    home = AccountRegion(account, found.region) if account else found.home
    accounts.pin(found.config.resources_stage, home)
    context.output.mark("ok", f"{found.config.resources_stage} is pinned to account {home.account}, {home.region}.")
