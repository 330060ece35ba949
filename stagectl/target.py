"""A stage in its AWS account, with the credentials to work on it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import ClientError

from stagectl import accounts, project, secrets_store, stages
from stagectl.accounts import AccountRegion
from stagectl.aws_errors import denied_action, is_denial
from stagectl.aws_sessions import AwsSessions
from stagectl.operator_error import OperatorError, PermissionDeniedError

# Of AWS's endpoints, VPC endpoints included
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

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
        if self.config.livemode:
            self._check_endpoint()
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
        if not pin:
            self.check_mode()

    def _check_endpoint(self) -> None:
        """Check that Parameter Store is that of the account which STS reports.

        A variable such as AWS_ENDPOINT_URL_SSM, left by an emulator, would send a live key elsewhere.

        :raises OperatorError: it is elsewhere.
        """
        endpoint, of_account = (self.client(service).meta.endpoint_url for service in ("ssm", "sts"))
        address = urlsplit(endpoint)
        is_aws = address.scheme == "https" and f".{address.hostname}".endswith(_AWS_DOMAINS)
        if not is_aws and endpoint != of_account:
            raise OperatorError(
                f"Parameter Store's endpoint is {endpoint}, which is not AWS's.",
                "Nothing was changed. Unset AWS_ENDPOINT_URL_SSM, and endpoint_url in the profile's services section.",
            )

    def check_mode(self) -> None:
        """Check that the credentials' account is not that of a stage of the other mode.

        :raises OperatorError: it is.
        :raises PermissionDeniedError: the credentials may not list parameters, so it is unknown.
        """
        resources, account = self.config.resources_stage, self.account_region.account
        named = "" if self.config.livemode else f" --account {account}"  # of a live stage it has to be typed
        pin = f"stagectl stages pin --stage {resources}{named}"
        try:
            other = self._stage_of_other_mode(account)
        except ClientError as error:
            if not is_denial(error):
                raise
            raise PermissionDeniedError(
                f"It is unknown whose account {account} is: these credentials are not allowed to do "
                f"{denied_action(error)}.",
                f"Have an administrator allow it. Or, if it is {resources}'s account, pin it:",
                pin,
            ) from error
        if other:
            raise OperatorError(
                f"The credentials are of account {account}, which is {other}'s: {resources} requires another account.",
                f"Sign in to {resources}'s account (--profile). If one account holds both stages, pin it first:",
                pin,
            )

    def check_named(self, account: str) -> None:
        """Check that the credentials are of the account that the operator named.

        :raises OperatorError: they are not, or it is no account id.
        """
        named, actual = accounts.parse_id(account), self.account_region.account
        if named != actual:
            raise OperatorError(
                f"The credentials are of account {actual}, not {named}.",
                f"Nothing was changed. Sign in to {named} (--profile, AWS_PROFILE).",
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
        stored = secrets_store.existing(self.client("ssm"), list(names))
        return next((names[parameter["Name"]] for parameter in stored), None)


def of(stage: str, sessions: AwsSessions) -> Target:
    """Return a stage with the credentials to work on it. Calls nothing.

    The region is the option's, the profile's, or else the pinned one.

    :param stage: a declared stage.
    :raises OperatorError: there is no such stage or no region, or the configuration is invalid.
    """
    config = stages.config_of(stage)

    def pinned_region() -> str:
        pin = accounts.pinned(config.resources_stage)
        if pin is None:
            raise OperatorError("No AWS region is set.", "Set AWS_DEFAULT_REGION, or add --region us-east-1.")
        return pin.region

    return Target(stage, config, sessions.of(pinned_region), sessions.profile)
