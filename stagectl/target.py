"""A stage in its AWS account, with the credentials to work on it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from stagectl import accounts, project, secrets_store, stages
from stagectl.accounts import AccountRegion
from stagectl.aws_errors import ignore_error
from stagectl.operator_error import OperatorError

# Seconds. Operators wait at a terminal, and every command can be repeated.
_CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 5, "mode": "standard"})


@dataclass
class Target:
    """A declared stage and the credentials to work on it.

    ``stage``: its name. ``config``: the app's StageConfig. ``session``: boto3's, of the chosen profile.
    ``profile``: None if the environment decides.
    """

    stage: str
    config: Any
    session: Any
    profile: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The region in use."""
        return str(self.session.region_name)

    @property
    def function_name(self) -> str:
        """The Lambda function of the routes, as Chalice names it."""
        return f"{project.current().app_name}-{self.stage}"

    @property
    def notify_name(self) -> str:
        """The Lambda function that texts the admin."""
        return f"{self.function_name}-notify"

    @cached_property
    def identity(self) -> dict[str, str]:
        """Whose credentials these are: Account and Arn."""
        return dict(self.client("sts").get_caller_identity())

    @property
    def account_region(self) -> AccountRegion:
        """The account of the credentials and the region in use."""
        return AccountRegion(self.identity["Account"], self.region)

    def client(self, service: str) -> Any:
        """Return boto3's client of a service, the same one each time."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=_CLIENT_CONFIG)
        return self._clients[service]

    def check_account(self) -> None:
        """Check that the credentials are of the stage's account and the region is the stage's.

        :raises OperatorError: they are not.
        """
        resources, actual = self.config.resources_stage, self.account_region
        pin = accounts.pinned(resources)
        if pin and pin.account != actual.account:
            raise OperatorError(
                f"The credentials are of account {actual.account}, but {resources} is pinned to {pin.account}.",
                f"Nothing was changed. Sign in to {pin.account} (--profile, AWS_PROFILE).",
            )
        if pin and pin.region != actual.region:
            raise OperatorError(
                f"The region is {actual.region}, but {resources} is pinned to {pin.region}.",
                f"Nothing was changed. Add --region {pin.region}.",
            )
        if not pin and (other := self._stage_of_other_mode(actual.account)):
            raise OperatorError(
                f"The credentials are of account {actual.account}, which is {other}'s: "
                f"{resources} requires another account.",
                f"Sign in to {resources}'s account (--profile). If one account holds both stages, pin it first:",
                f"stagectl stages pin --stage {resources}",
            )

    def _stage_of_other_mode(self, account: str) -> str | None:
        """Return a row of STAGES of the other mode that is pinned to the account, or whose secrets it holds."""
        tables = project.current().config
        others = [row for row in tables.STAGES if row.mode != self.config.mode]
        pins = accounts.read()
        pinned: list[str] = [row.name for row in others if row.name in pins and pins[row.name].account == account]
        names = {
            spec.path.format(mode=row.mode, stage=row.name, resources=row.name): row.name
            for row in others
            for spec in tables.SECRETS
        }
        if pinned:
            return pinned[0]
        with ignore_error("AccessDeniedException"):
            stored = secrets_store.existing(self.client("ssm"), list(names))
            return next((names[parameter["Name"]] for parameter in stored), None)
        return None  # the credentials may not list parameters


def of(stage: str, profile: str | None = None, region: str | None = None) -> Target:
    """Return a stage with the credentials to work on it. Calls nothing.

    :param stage: a declared stage.
    :param profile: of the AWS configuration; the environment's credentials if left out.
    :param region: the profile's, or the pinned one, if left out.
    :raises OperatorError: there is no such stage or no region, or the configuration is invalid.
    """
    config = stages.config_of(stage)
    session = boto3.session.Session(profile_name=profile, region_name=region)
    if session.region_name is None:
        pin = accounts.pinned(config.resources_stage)
        if pin is None:
            raise OperatorError("No AWS region is set.", "Set AWS_DEFAULT_REGION, or add --region us-east-1.")
        session = boto3.session.Session(profile_name=profile, region_name=pin.region)
    return Target(stage, config, session, profile)
